import { Column, Entity } from 'typeorm';
import { Resource } from './resource';

/** States in order of life (spec 2, "Names"). A verified name stays so until its proof has been missing for the grace. */
export const nameStates = ['pending', 'verified', 'failed'] as const;
export type NameStatus = (typeof nameStates)[number];

/** Whether the domain in a record's name says that it is the record's; its id is the record's. */
@Entity('name_verification')
export class NameVerification extends Resource<NameStatus> {
  @Column('text') readonly name: string;
  /** With its port, where the name has one. */
  @Column('text') readonly domain: string;
  @Column('text', { nullable: true }) readonly method: string | null;
  /** The `kid` of the key that signed the record, or its thumbprint (RFC 7638). */
  @Column('text', { nullable: true }) readonly key_id: string | null;
  @Column('timestamptz', { nullable: true }) readonly verified_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly checked_at: Date | null;
  /** Until when the result stands unless a check renews it. */
  @Column('timestamptz', { nullable: true }) readonly expires_at: Date | null;
  @Column('timestamptz') readonly check_at: Date;
  @Column('timestamptz', { nullable: true }) readonly check_asked_at: Date | null;
  /** When the first check failed of those that have failed in a row. */
  @Column('timestamptz', { nullable: true }) readonly failing_since: Date | null;
  /** When the signatures and keys last changed that the last check saw. */
  @Column('timestamptz', { nullable: true }) readonly record_seen: Date | null;
}
