import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a registry lists as attached to a record, and does not have yet, is remembered as such: it is read again. */
export class AwaitedReferrers1763700000011 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE referrer DROP CONSTRAINT referrer_kind_check,
        ADD CONSTRAINT referrer_kind_check CHECK (kind IN ('signature', 'public_key', 'other', 'awaited'));
      COMMENT ON COLUMN referrer.kind IS 'awaited: it is listed, and its manifest or its content is not there yet';
    `);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}
