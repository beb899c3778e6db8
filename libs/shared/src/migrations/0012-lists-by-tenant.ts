import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A tenant's lists are read from an index of its own rows, however many the others have; the other families have theirs already. */
export class ListsByTenant1763700000012 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const table of ['project', 'environment', 'deployment', 'build', 'image', 'domain', 'vm_claim']) {
      await runner.query(`CREATE INDEX ${table}_tenant ON ${table} (tenant_id, id)`);
    }
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}
