import { Column, Entity } from 'typeorm';
import { Resource } from './resource';

/** States in order of life (spec 1, "Domains"; spec 0). */
export const domainStates = ['pending', 'verified', 'at_risk', 'lapsed', 'expired'] as const;
export type DomainStatus = (typeof domainStates)[number];

/** `match`: the token was there. `other`: records, but not ours. `unasked`: nobody could be asked, so nothing is known. */
export interface DomainCheck {
  readonly at: string;
  readonly outcome: 'match' | 'other' | 'absent' | 'unasked';
  readonly why: string | null;
  readonly seen: readonly string[];
}

@Entity('domain')
export class Domain extends Resource<DomainStatus> {
  @Column('text') readonly name: string;
  @Column('uuid', { nullable: true }) readonly project_id: string | null;
  /** At least 128 bits of a CSPRNG; shown to its tenant only, never logged. */
  @Column('text') readonly token: string;
  @Column('timestamptz') readonly window_ends_at: Date;
  @Column('timestamptz') readonly check_at: Date;
  @Column('integer') readonly checks: number;
  @Column('jsonb', { nullable: true }) readonly last_check: DomainCheck | null;
  @Column('timestamptz', { nullable: true }) readonly check_asked_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly verified_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly absent_since: Date | null;
}
