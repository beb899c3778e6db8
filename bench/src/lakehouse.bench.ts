import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lakehouseDir, runPython } from '@homeostat/testing';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { stoppable } from './house/cleanup';
import { writeIcebergTable } from './lakehouse/iceberg-writer';
import type { Reading } from './lakehouse/reading';

const COLUMNS = 100;
const FILES_PER_MANIFEST = 1_000;

/** What pyiceberg needs to plan the same scan; the second time, when it has loaded all its code. */
const peer = `
import sys, time
from pyiceberg.table import StaticTable
table = StaticTable.from_metadata(sys.argv[1])
for _ in range(2):
    started = time.perf_counter(); files = len(list(table.scan().plan_files())); took = time.perf_counter() - started
print(files, took * 1000)
`;

/** Statistics and plan of one large Iceberg table, from files, without storing them; beside pyiceberg's planning of the scan alone. */
export const lakehouse: Benchmark = {
  name: 'lakehouse',
  about: `statistics and plan of an Iceberg table with ${COLUMNS} columns, read from files; pyiceberg plans the same scan in the same run`,
  count: 10_000,
  settings: {},
  figures: (count) => [
    { name: 'statistics and plan, of the time that pyiceberg plans', unit: '×', bar: 1.5 },
    { name: 'statistics and plan', unit: 'ms' },
    { name: 'pyiceberg, plan alone', unit: 'ms' },
    { name: `memory at ${count} files`, unit: 'MB', bar: 300 },
    { name: `memory at ${count / 10} files`, unit: 'MB' },
  ],
  run,
};

async function run({ count, progress }: Settings): Promise<Measured> {
  const work = await stoppable(async (undo) => {
    const folder = await mkdtemp(join(tmpdir(), 'homeostat-bench-lakehouse-'));
    undo.push(() => rm(folder, { recursive: true }));
    return { folder };
  });
  try {
    progress('writing the tables');
    const size = { columns: COLUMNS, filesPerManifest: FILES_PER_MANIFEST };
    const small = await writeIcebergTable(join(work.folder, 'small'), { ...size, files: Math.ceil(count / 10) });
    const large = await writeIcebergTable(join(work.folder, 'large'), { ...size, files: count });
    progress('reading them');
    const [less, more] = [await read(small), await read(large)];
    progress('pyiceberg');
    const { files, ms: theirMs } = await planned(large);
    if (files !== count || more.files !== count)
      throw new Error(`of ${count} files pyiceberg planned ${files}, we ${more.files}`);
    return {
      'statistics and plan, of the time that pyiceberg plans': more.ms / theirMs,
      'statistics and plan': more.ms,
      'pyiceberg, plan alone': theirMs,
      [`memory at ${count} files`]: more.peakMb,
      [`memory at ${count / 10} files`]: less.peakMb,
    };
  } finally {
    await work.stop();
  }
}

/** In a process of its own, so that nobody else's memory counts. */
async function read(metadata: string): Promise<Reading> {
  const child = fork(join(__dirname, 'lakehouse/reading.js'), [metadata]);
  const [reading] = (await once(child, 'message')) as [Reading];
  await once(child, 'exit');
  return reading;
}

async function planned(metadata: string): Promise<{ files: number; ms: number }> {
  const python = join(lakehouseDir, 'venv/bin/python');
  const [files, ms] = (await runPython({ python, path: '' }, peer, [metadata])).split(' ').map(Number);
  return { files: files!, ms: ms! };
}
