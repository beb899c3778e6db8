import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Readings of large snapshots stop and go on. Processes of the version before begin them anew. */
export class ReadingMarks1763700000008 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE snapshot_load ADD COLUMN mark bytea;
      COMMENT ON COLUMN snapshot_load.mark IS 'where a reading stopped to go on later, in the connector''s own terms';
      COMMENT ON COLUMN snapshot_load.files IS 'of a reading that stopped: those before its mark';
    `);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}
