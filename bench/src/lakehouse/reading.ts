import { dirname } from 'node:path';
import { IcebergConnectorFactory } from '@homeostat/connector-svc';

/** What it took to read the statistics and the plan of a table's current snapshot. */
export interface Reading {
  readonly files: number;
  /** The second time, when the code is warm, as with the peer. */
  readonly ms: number;
  readonly peakMb: number;
}

async function main(metadata: string): Promise<void> {
  const factory = new IcebergConnectorFactory({ fileRoots: [dirname(dirname(metadata))], allowPrivate: false });
  const connector = factory.create({ uri: metadata, properties: {}, credentials: {} });
  let [files, ms] = [0, 0];
  for (let time = 0; time < 2; time++) {
    const startedMs = performance.now();
    const table = await connector.describe({ namespace: [], name: '' });
    for await (const snapshot of table.listSnapshots(new Set())) {
      for await (const { item } of table.statistics(snapshot, 'all')) files += item === 'file' ? 1 : 0;
    }
    ms = performance.now() - startedMs;
  }
  await connector.close();
  process.send!({ files: files / 2, ms, peakMb: process.resourceUsage().maxRSS / 1000 } satisfies Reading);
}

void main(process.argv[2]!);
