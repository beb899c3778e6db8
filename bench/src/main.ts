import { join } from 'node:path';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { churn } from './churn.bench';
import { deployments } from './deployments.bench';
import { directory } from './directory.bench';
import { events } from './events.bench';
import { fleet } from './fleet.bench';
import type { Benchmark } from './harness/benchmark';
import { writeDocument } from './harness/document';
import { machineFacts } from './harness/machine';
import { missingFor } from './harness/needs';
import { type Report, type Result, tableOf, writeReport } from './harness/report';
import { type Options, resultsOf } from './harness/rounds';
import { progress, say } from './harness/screen';
import { stopAll } from './house/cleanup';
import { idle } from './idle.bench';
import { interference } from './interference.bench';
import { lakehouse } from './lakehouse.bench';
import { looks } from './looks.bench';
import { one } from './one.bench';
import { replicas } from './replicas.bench';
import { tables } from './tables.bench';
import { takeover } from './takeover.bench';

const benchmarks: readonly Benchmark[] = [
  ...[looks, deployments, replicas, one, fleet, events, idle, takeover, interference],
  ...[directory, lakehouse, tables, churn],
];
const names = benchmarks.map(({ name }) => name);
const resultsDir = join(__dirname, '../results');
const docsDir = join(__dirname, '../../docs');

const program = new Command('bench')
  .description(
    'Measures the platform on an embedded PostgreSQL, in one process or as a fleet, and holds the figures against their bars.',
  )
  .addArgument(new Argument('[benchmarks...]', 'which ones').choices(['all', ...names]).default(['all'], 'all'))
  .option('--count <number>', 'how many of what each benchmark is about, instead of what it has by itself', whole)
  .option('--runs <number>', 'runs of each, five where it says nothing else; the table shows their medians', whole)
  .option('--smoke', 'small sizes, one run, no report: only whether each still runs', false)
  .option('--set <NAME=value>', 'a setting of the services; may be given again', setting, {})
  .option(
    '--profile',
    'also writes CPU profiles of the process, and shows the costliest statements; it slows things down',
    false,
  )
  .action((wanted: readonly string[], options: Options) => measure(wanted, options));

program
  .command('report')
  .description('Writes docs/benchmarks.md, with plots, from the latest results of each benchmark')
  .action(async () => say(`written to ${await writeDocument(resultsDir, docsDir, benchmarks)}`));

/** What is missing on the machine is said first, and what is done is written down after each benchmark: all of them take an hour or more. */
async function measure(wanted: readonly string[], options: Options): Promise<void> {
  const chosen = benchmarks.filter(({ name }) => wanted.includes('all') || wanted.includes(name));
  const missing = missingFor(chosen);
  if (missing !== null) program.error(missing);
  const at = new Date().toISOString();
  progress('looking at the machine');
  const machine = await machineFacts();
  for (const [name, value] of Object.entries(machine)) say(`${name}: ${value}`);
  const results: Result[] = [];
  const report: Report = { at, machine, results };
  const profileDir = options.profile ? join(resultsDir, 'profiles') : undefined;
  const left = chosen.values();
  const lane = async (): Promise<void> => {
    for (const benchmark of left) {
      const latest = await resultsOf(benchmark, { ...options, profileDir });
      results.push(...latest);
      progress('');
      for (const result of latest) process.stdout.write(`\n${tableOf(result)}\n`);
      if (!options.smoke) say(`\nwritten to ${await writeReport(resultsDir, report)}`);
    }
  };
  // Where nobody reads the figures, one may go on while another waits.
  await Promise.all(options.smoke ? [lane(), lane()] : [lane()]);
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
