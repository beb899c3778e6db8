import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { lakehouseDir, runPython } from '@homeostat/testing';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { lakehouseServers } from './harness/needs';
import { stoppable } from './house/cleanup';
import { type House, openHouse } from './house/house';
import { writeDeltaTable } from './lakehouse/delta-writer';
import { type Place, writeIcebergTable } from './lakehouse/iceberg-writer';
import { connect, reconciled } from './lakehouse/jobs';

const COLUMNS = 100;
/** delta-rs and Spark keep statistics of so many columns, unless they are told otherwise. */
const DELTA_COLUMNS = 32;
const FILES_PER_MANIFEST = 1_000;
const NAMESPACE = 'large';

/** What pyiceberg needs to plan the same scan; the second time, when it has loaded all its code. */
const peer = `
import sys, time
from pyiceberg.table import StaticTable
table = StaticTable.from_metadata(sys.argv[1])
for _ in range(2):
    started = time.perf_counter(); files = len(list(table.scan().plan_files())); took = time.perf_counter() - started
print(files, took * 1000)
`;

/** Tables with a tenth, the count and tenfold of it. */
const sizesOf = (count: number): number[] => [Math.ceil(count / 10), count, count * 10];
const memory = (kind: string, files: number): string => `memory after ${files} files, ${kind}`;

/** Statistics and plans of large tables, from files into the catalog; beside pyiceberg's planning of the scan alone. */
export const lakehouse: Benchmark = {
  name: 'lakehouse',
  about: `files of tables with ${COLUMNS} columns (Iceberg) and ${DELTA_COLUMNS} (Delta, a checkpoint), ingested with statistics and plan; pyiceberg plans the same scan in the same run`,
  count: 10_000,
  smoke: 20,
  needs: [lakehouseServers],
  settings: {},
  figures: (count) => [
    { name: 'ingested, of the time that pyiceberg plans', unit: '×', bar: 1.5 },
    { name: 'ingested', unit: 'ms' },
    { name: 'pyiceberg, plan alone', unit: 'ms' },
    { name: 'memory before', unit: 'MB' },
    ...['iceberg', 'delta'].flatMap((kind) =>
      sizesOf(count).map((files) => ({ name: memory(kind, files), unit: 'MB', bar: 300 })),
    ),
  ],
  run,
};

async function run(settings: Settings): Promise<Measured> {
  const { count, progress } = settings;
  const work = await stoppable(async (undo) => {
    const folder = await mkdtemp(join(tmpdir(), 'homeostat-bench-lakehouse-'));
    undo.push(() => rm(folder, { recursive: true }));
    return { folder };
  });
  try {
    progress('writing the tables');
    const metadata = new Map<number, string>();
    for (const files of sizesOf(count)) {
      metadata.set(files, await writeIcebergTable(folderOf(work.folder, files), sizeOf(files)));
      await writeDeltaTable(join(work.folder, 'delta', NAMESPACE, `files_${files}`), files, DELTA_COLUMNS);
    }
    const delta = await read('delta', work.folder, settings);
    const iceberg = await read('iceberg', work.folder, settings);
    progress('pyiceberg');
    const { files, ms } = await planned(metadata.get(count)!);
    if (files !== count) throw new Error(`of ${count} files pyiceberg planned ${files}`);
    const ratio = { 'ingested, of the time that pyiceberg plans': iceberg['ingested']! / ms };
    return { ...delta, ...iceberg, ...ratio, 'pyiceberg, plan alone': ms };
  } finally {
    await work.stop();
  }
}

/** Reads the tables of one kind in a process of its own, from the smallest to the largest: so the peak after each is its own. */
async function read(kind: string, folder: string, { count, set, profileDir, progress }: Settings): Promise<Measured> {
  const house = await openHouse({ settings: { ...set, RECONCILER_FILE_ROOTS: folder }, profileDir });
  try {
    const measured: Record<string, number> = { 'memory before': (await house.usage()).peakRssMb };
    for (const files of sizesOf(count)) {
      progress(`reading ${files} files, ${kind}`);
      const ms = await ingested(house, folder, kind, files);
      measured[memory(kind, files)] = (await house.usage()).peakRssMb;
      if (files === count) measured['ingested'] = ms;
    }
    return measured;
  } finally {
    await house.stop();
  }
}

function sizeOf(files: number) {
  return { files, columns: COLUMNS, filesPerManifest: FILES_PER_MANIFEST };
}

function folderOf(folder: string, files: number): Place {
  const root = join(folder, 'iceberg', NAMESPACE, `files_${files}`);
  const put: Place['put'] = async (name, bytes) => {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), bytes);
  };
  return { root, put };
}

async function ingested(house: House, folder: string, kind: string, files: number): Promise<number> {
  const source = { uri: join(folder, kind), namespace: NAMESPACE, table: `files_${files}` };
  const connector = await connect(house, { display_name: `${kind} ${files}`, kind, source });
  const { ms, stats_processed } = await reconciled(house, connector);
  const columns = kind === 'iceberg' ? COLUMNS : DELTA_COLUMNS;
  if (Number(stats_processed) !== files + columns + 1)
    throw new Error(`of ${files} files ${stats_processed} were read`);
  return ms;
}

async function planned(metadata: string): Promise<{ files: number; ms: number }> {
  const python = join(lakehouseDir, 'venv/bin/python');
  const [files, ms] = (await runPython({ python, path: '' }, peer, [metadata])).split(' ').map(Number);
  return { files: files!, ms: ms! };
}
