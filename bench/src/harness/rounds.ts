import type { Benchmark, Measured } from './benchmark';
import { load } from './machine';
import { type Lines, type Result, comparisonOf } from './report';
import { progress, say } from './screen';

/** What was asked for on the command line. */
export interface Options {
  readonly count?: number;
  readonly runs?: number;
  readonly smoke: boolean;
  readonly set: Readonly<Record<string, string>>;
  readonly profile: boolean;
}

const RUNS = 5;

/** All that one size has come to. */
interface Size {
  readonly count: number;
  readonly runs: Measured[];
  readonly loads: number[];
  lines: Lines;
}

/** Runs a benchmark, round after round with all its sizes in turn; returns a result for each size, and for what they say about each other. */
export async function resultsOf(
  benchmark: Benchmark,
  options: Options & { readonly profileDir: string | undefined },
): Promise<Result[]> {
  const { name, about, figures, across } = benchmark;
  const rounds = options.smoke ? 1 : (options.runs ?? benchmark.runs ?? RUNS);
  const sizes = sizesOf(benchmark, options).map((count): Size => ({ count, runs: [], loads: [], lines: {} }));
  for (let round = 1; round <= rounds; round += 1) {
    for (const size of sizes) await run(benchmark, size, `${name}, run ${round} of ${rounds}`, options);
  }
  const settings = { ...benchmark.settings, ...options.set };
  const results = sizes.map((size): Result => ({
    benchmark: name,
    about,
    settings,
    figures: figures(size.count),
    ...size,
  }));
  if (!across || sizes.length < 2) return results;
  const compared = sizes[0]!.runs.map((_, at) =>
    across.measure(new Map(sizes.map(({ count, runs }) => [count, runs[at]!]))),
  );
  const counts = sizes.map(({ count }) => count);
  const rest = { count: counts.length, runs: compared, loads: sizes[0]!.loads };
  const title = { benchmark: comparisonOf(name), about: `sizes, in turn: ${counts.join(', ')}` };
  return [...results, { ...title, ...rest, settings, figures: across.figures }];
}

function sizesOf({ count, sizes, smoke: small }: Benchmark, { count: given, smoke }: Options): readonly number[] {
  if (given !== undefined) return [given];
  return smoke ? [small] : (sizes ?? [count]);
}

async function run(
  benchmark: Benchmark,
  size: Size,
  head: string,
  { smoke, set, profileDir }: Options & { readonly profileDir: string | undefined },
): Promise<void> {
  const { count } = size;
  say(`${head}: ${count}`);
  size.loads.push(load());
  const lines: Record<string, [number, number][]> = {};
  const plot = (line: string, x: number, y: number): void => void (lines[line] ??= []).push([x, y]);
  const tell = (line: string): void => progress(`${head}: ${line}`);
  size.runs.push(await benchmark.run({ count, smoke, set, profileDir, progress: tell, say, plot }));
  size.lines = lines;
}
