import { Column, CreateDateColumn, PrimaryColumn } from 'typeorm';

/** The columns that every resource carries (spec 0, "How"). */
export class Resource<Status extends string = string> {
  @PrimaryColumn('uuid') readonly id: string;
  @Column('text') readonly tenant_id: string;
  @Column('text') readonly status: Status;
  /** A stable CamelCase word. */
  @Column('text', { nullable: true }) readonly reason: string | null;
  /** A sentence for people. */
  @Column('text', { nullable: true }) readonly message: string | null;
  /** Counts the changes of the row; 64 bits as a string. */
  @Column('bigint') readonly generation: string;
  @CreateDateColumn({ type: 'timestamptz' }) readonly created_at: Date;
  @Column('timestamptz') readonly updated_at: Date;
}
