import { Column, Entity, PrimaryColumn } from 'typeorm';
import { Resource } from './resource';

/** States of the seed (spec 1, "VM pool"). */
export const vmStates = ['pooling', 'initializing', 'starting', 'running', 'stopping', 'deleting', 'off'] as const;
export type VmStatus = (typeof vmStates)[number];

@Entity('region')
export class Region extends Resource<'active'> {
  @Column('bigint') readonly number: string;
  @Column('text') readonly name: string;
}

@Entity('vm')
export class Vm extends Resource<VmStatus> {
  @Column('uuid') readonly region_id: string;
  /** Owns the /29 at network + 8 × number. */
  @Column('integer') readonly number: number;
  @Column('inet') readonly private_ip: string;
  @Column('uuid', { nullable: true }) readonly claim_id: string | null;
  @Column('uuid', { nullable: true }) readonly image_id: string | null;
  @Column('timestamptz') readonly status_at: Date;
}

/** The one pool: whose turn it is, and what hinders it. */
@Entity('pool')
export class Pool {
  @PrimaryColumn('uuid') readonly id: string;
  @Column('integer') readonly turn: number;
  @Column('text', { nullable: true }) readonly condition: string | null;
  @Column('text', { nullable: true }) readonly message: string | null;
}
