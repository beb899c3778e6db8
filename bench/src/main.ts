import { join } from 'node:path';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { deployments } from './deployments.bench';
import { directory } from './directory.bench';
import { fleet } from './fleet.bench';
import type { Benchmark } from './harness/benchmark';
import { load, machineFacts } from './harness/machine';
import { type Result, tableOf, writeReport } from './harness/report';
import { progress, say } from './harness/screen';
import { stopAll } from './house/cleanup';
import { idle } from './idle.bench';
import { lakehouse } from './lakehouse.bench';
import { looks } from './looks.bench';
import { one } from './one.bench';
import { tables } from './tables.bench';

const benchmarks: readonly Benchmark[] = [deployments, one, idle, fleet, looks, directory, lakehouse, tables];
const names = benchmarks.map(({ name }) => name);
const resultsDir = join(__dirname, '../results');

interface Options {
  readonly count?: number;
  readonly runs: number;
  readonly smoke: boolean;
  readonly set: Record<string, string>;
  readonly profile: boolean;
}

const program = new Command('bench')
  .description(
    'Measures the platform on an embedded PostgreSQL, in one process or as a fleet, and holds the figures against their bars.',
  )
  .addArgument(new Argument('[benchmarks...]', 'which ones').choices(names).default(names, 'all'))
  .option('--count <number>', 'deployments, or settled resources, instead of what each benchmark has by itself', whole)
  .option('--runs <number>', 'runs of each; the table shows their medians', whole, 3)
  .option('--smoke', 'small sizes, one run, no report: only whether each still runs', false)
  .option('--set <NAME=value>', 'a setting of the services; may be given again', setting, {})
  .option(
    '--profile',
    'also writes CPU profiles of the process, and shows the costliest statements; it slows things down',
    false,
  )
  .action(async (wanted: readonly string[], options: Options) => {
    const at = new Date().toISOString();
    progress('looking at the machine');
    const machine = await machineFacts();
    for (const [name, value] of Object.entries(machine)) say(`${name}: ${value}`);
    const results: Result[] = [];
    for (const benchmark of benchmarks.filter(({ name }) => wanted.includes(name))) {
      results.push(await resultOf(benchmark, options));
      progress('');
      process.stdout.write(`\n${tableOf(results.at(-1)!)}\n`);
    }
    if (!options.smoke) say(`\nwritten to ${await writeReport(resultsDir, { at, machine, results })}`);
  });

async function resultOf(benchmark: Benchmark, options: Options): Promise<Result> {
  const { count: given, smoke, set, profile } = options;
  const { name, about, figures } = benchmark;
  const count = given ?? (smoke ? benchmark.smoke : benchmark.count);
  const wanted = smoke ? 1 : options.runs;
  const runs: Result['runs'][number][] = [];
  const loads: number[] = [];
  while (runs.length < wanted) {
    const head = `${name}, run ${runs.length + 1} of ${wanted}`;
    say(`${head}: ${count}`);
    loads.push(load());
    const profileDir = profile ? join(resultsDir, 'profiles') : undefined;
    runs.push(
      await benchmark.run({ count, smoke, set, profileDir, progress: (line) => progress(`${head}: ${line}`), say }),
    );
  }
  return {
    benchmark: name,
    about,
    count,
    settings: { ...benchmark.settings, ...set },
    figures: figures(count),
    runs,
    loads,
  };
}

function whole(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is no whole number from 1 on.');
}

function setting(text: string, before: Record<string, string>): Record<string, string> {
  const [, name, value] = /^(RECONCILER_[A-Z_]+)=(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError('Write it like RECONCILER_INTERVAL=1s.');
  return { ...before, [name]: value };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stopAll().finally(() => process.exit(1)));
}
program.parseAsync().catch((error: unknown) => {
  say(error instanceof Error ? String(error.stack) : String(error));
  process.exitCode = 1;
});
