import type { Snapshot, SourceTable, StatisticsItem } from './connector.port';

/** The statistics of a snapshot by readings that stop as soon as they may, each of which goes on where the one before stopped. For specs. */
export async function inPieces(table: SourceTable, snapshot: Snapshot): Promise<StatisticsItem[]> {
  const items: StatisticsItem[] = [];
  let from: Buffer | null = null;
  do {
    const piece: AsyncIterable<StatisticsItem> = table.statistics(snapshot, 'all', { from, mayStop: () => true });
    from = null;
    for await (const one of piece) {
      if (one.item === 'mark') from = one.mark;
      else items.push(one);
    }
  } while (from !== null);
  return items;
}
