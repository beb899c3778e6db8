import { Column, Entity } from 'typeorm';
import { Resource } from './resource';

/** States in order of life (spec 1, "Deployments"). */
export const deploymentStates = ['queued', 'building', 'ready', 'inactive', 'failed'] as const;
export type DeploymentStatus = (typeof deploymentStates)[number];
export type DeploymentPhase = 'waiting_for_build' | 'waiting_for_vm';

/** States in order of life (spec 1, "Builds"). */
export const buildStates = ['queued', 'initializing', 'building', 'ready', 'canceled', 'error'] as const;
export type BuildStatus = (typeof buildStates)[number];

export type ClaimStatus = 'waiting' | 'bound' | 'released';

@Entity('project')
export class Project extends Resource<'active'> {
  @Column('text') readonly name: string;
}

@Entity('environment')
export class Environment extends Resource<'active'> {
  @Column('uuid') readonly project_id: string;
  @Column('text') readonly name: string;
}

@Entity('image')
export class Image extends Resource<'active'> {
  @Column('uuid', { nullable: true }) readonly build_id: string | null;
  @Column('text') readonly registry: string;
  @Column('text') readonly repository: string;
  @Column('text', { nullable: true }) readonly tag: string | null;
  @Column('text', { nullable: true }) readonly digest: string | null;
}

@Entity('build')
export class Build extends Resource<BuildStatus> {
  @Column('uuid') readonly deployment_id: string;
  @Column('uuid') readonly project_id: string;
  @Column('text', { nullable: true }) readonly commit: string | null;
  @Column('text', { nullable: true }) readonly builder: string | null;
  @Column('uuid', { nullable: true }) readonly image_id: string | null;
  @Column('timestamptz', { nullable: true }) readonly started_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly heartbeat_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly finished_at: Date | null;
}

@Entity('deployment')
export class Deployment extends Resource<DeploymentStatus> {
  /** The order of creation; 64 bits as a string. */
  @Column('bigint') readonly number: string;
  @Column('uuid') readonly project_id: string;
  @Column('uuid') readonly environment_id: string;
  @Column('text', { nullable: true }) readonly commit: string | null;
  @Column('integer') readonly port: number;
  @Column('jsonb') readonly env: Record<string, string>;
  @Column('text', { nullable: true }) readonly phase: DeploymentPhase | null;
  @Column('uuid', { nullable: true }) readonly build_id: string | null;
  @Column('uuid', { nullable: true }) readonly image_id: string | null;
  @Column('uuid', { nullable: true }) readonly vm_id: string | null;
  /** Protected against supersession. */
  @Column('boolean') readonly pinned: boolean;
  /** The deployment whose image this one runs again. */
  @Column('uuid', { nullable: true }) readonly rollback_of: string | null;
  @Column('timestamptz', { nullable: true }) readonly cancel_requested_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly building_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly image_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly ready_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly inactive_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly failed_at: Date | null;
}

/** What a deployment wants (deploy-svc's columns) and which VM it got (vm-pool-svc's columns). */
@Entity('vm_claim')
export class VmClaim {
  @Column('uuid', { primary: true }) readonly id: string;
  @Column('text') readonly tenant_id: string;
  /** First come, first served; 64 bits as a string. */
  @Column('bigint') readonly number: string;
  @Column('uuid') readonly deployment_id: string;
  @Column('uuid') readonly image_id: string;
  @Column('integer') readonly port: number;
  @Column('jsonb') readonly env: Record<string, string>;
  @Column('text') readonly status: ClaimStatus;
  @Column('timestamptz', { nullable: true }) readonly released_at: Date | null;
  @Column('uuid', { nullable: true }) readonly vm_id: string | null;
  @Column('timestamptz', { nullable: true }) readonly bound_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly freed_at: Date | null;
  @Column('bigint') readonly generation: string;
  @Column('timestamptz') readonly created_at: Date;
  @Column('timestamptz') readonly updated_at: Date;
}
