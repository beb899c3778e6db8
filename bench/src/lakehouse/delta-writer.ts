import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lakehouseDir, runPython } from '@homeostat/testing';

const types = ['long', 'double', 'string', 'timestamp'] as const;
const python = { python: join(lakehouseDir, 'venv/bin/python'), path: '' };

/** Writes a Delta table whose only version adds so many files, with statistics of all columns, and has delta-rs make a checkpoint of it. */
export async function writeDeltaTable(folder: string, files: number, columns: number): Promise<void> {
  const log = join(folder, '_delta_log');
  await mkdir(log, { recursive: true });
  const commit = createWriteStream(join(log, `${'0'.repeat(20)}.json`));
  const line = async (action: object): Promise<void> => {
    if (!commit.write(`${JSON.stringify(action)}\n`)) await once(commit, 'drain');
  };
  await line({ protocol: { minReaderVersion: 1, minWriterVersion: 2 } });
  await line({ metaData: metadataOf(columns) });
  for (let n = 0; n < files; n++) await line({ add: addOf(n, columns) });
  commit.end();
  await once(commit, 'close');
  await runPython(python, 'import sys, deltalake; deltalake.DeltaTable(sys.argv[1]).create_checkpoint()', [folder]);
}

function metadataOf(columns: number): object {
  const fields = Array.from({ length: columns }, (_, at) => {
    return { name: `column_${at + 1}`, type: types[at % 4], nullable: true, metadata: {} };
  });
  return {
    ...{ id: '9c12d441-03fe-4693-9a96-a0705ddf69c1', format: { provider: 'parquet', options: {} }, createdTime: 1 },
    ...{ schemaString: JSON.stringify({ type: 'struct', fields }), partitionColumns: [], configuration: {} },
  };
}

function addOf(n: number, columns: number): object {
  const each = (value: (at: number) => unknown): object =>
    Object.fromEntries(Array.from({ length: columns }, (_, at) => [`column_${at + 1}`, value(at)]));
  const stats = {
    numRecords: 1000,
    ...{ minValues: each((at) => boundOf(at, n)), maxValues: each((at) => boundOf(at, n + 1)) },
    nullCount: each((at) => at % 7),
  };
  return {
    path: `part-${String(n).padStart(8, '0')}-0a5bd3ab-8c1c-4b67-a7a5-6a1e54f4d1d5-c000.snappy.parquet`,
    ...{ partitionValues: {}, size: 1_000_000 + n, modificationTime: 1_700_000_000_000, dataChange: true },
    stats: JSON.stringify(stats),
  };
}

function boundOf(column: number, n: number): unknown {
  switch (types[column % 4]!) {
    case 'long':
      return n;
    case 'double':
      return n / 7;
    case 'string':
      return `value-${String(n).padStart(8, '0')}`;
    case 'timestamp':
      return new Date(1_700_000_000_000 + n).toISOString();
  }
}
