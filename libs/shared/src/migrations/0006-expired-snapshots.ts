import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Snapshots that a table's source no longer has are marked. Processes of the version before do not mark, and go on. */
export class ExpiredSnapshots1763700000006 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE table_snapshot ADD COLUMN expired_at timestamptz;
      COMMENT ON COLUMN table_snapshot.expired_at IS 'when a job found that the source has it no more; what was read of it stays';
    `);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}
