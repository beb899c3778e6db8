import type { Lease } from '../notebook';
import type { Life } from './life';
import { reachesAtOnce } from './reconcilers';
import type { Rows } from './rows';
import type { Unit } from './unit';

/** Watches what is claimed, committed and reached for, and remembers each time a promise of the engine was broken. */
export class Watch {
  readonly broken: string[] = [];
  private readonly newest = new Map<string, number>();
  private readonly reaches = new Map<Life, string[]>();

  constructor(private readonly rows: Rows) {}

  claimed(holder: string, kind: string, leases: readonly Lease[]): void {
    for (const { key, epoch } of leases) {
      const id = `${kind} ${key}`;
      if (this.rows.find(kind, key)?.paused) this.broken.push(`${holder} looks at ${id}, which is paused`);
      if (this.rows.pausedKinds.has(kind)) this.broken.push(`${holder} looks at ${id}, of a paused kind`);
      this.newest.set(id, Number(epoch));
    }
  }

  committed(holder: string, unit: Unit): void {
    for (const { kind, key, epoch, outcome } of unit.notes) {
      // The row of what is gone is deleted under the current epoch only; a stale lease finds nothing to delete.
      const stale = outcome !== 'gone' && epoch !== this.newest.get(`${kind} ${key}`);
      if (stale) this.broken.push(`${holder} wrote ${kind} ${key} under a stale lease`);
    }
  }

  looked({ kind, key, outcome }: { kind: string; key: string; outcome: string }): void {
    const poisoned = key.startsWith('poison');
    if (kind === 'deployments' && outcome === 'failed' && !poisoned)
      this.broken.push(`${key} was blamed for another's failure`);
    if (kind === 'stalled' && outcome !== 'stalled') this.broken.push(`${key} should be stalled and is ${outcome}`);
  }

  reaching(holder: string, life: Life, key: string, by: number): void {
    const now = this.reaches.get(life) ?? [];
    if (by > 0 && now.includes(key)) this.broken.push(`${holder} reaches out for ${key} twice at once`);
    if (by > 0 && now.length >= reachesAtOnce) this.broken.push(`${holder} reaches out for ${now.length + 1} at once`);
    this.reaches.set(life, by > 0 ? [...now, key] : now.filter((other) => other !== key));
  }
}
