import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Benchmark } from './benchmark';
import { type Report, type Result, comparisonOf, grid, rowsOf, titleOf } from './report';
import { median } from './statistics';
import { type Bar, barsSvg, linesSvg } from './svg';

/** A result, and when and where it was measured. */
interface Found {
  readonly result: Result;
  readonly report: Report;
}

/** Fewer of a unit are no plot. */
const LEAST = 3;

/**
 * Writes `benchmarks.md` and its plots into the folder, from the latest result of each benchmark and size, with what
 * people have written in `benchmarks.notes.md` at the end. Returns its path; throws where there are no results.
 */
export async function writeDocument(
  resultsDir: string,
  docsDir: string,
  benchmarks: readonly Benchmark[],
): Promise<string> {
  const found = await latest(resultsDir, benchmarks);
  const plots = join(docsDir, 'benchmarks');
  await rm(plots, { recursive: true, force: true });
  await mkdir(plots, { recursive: true });
  const sections: string[] = [];
  for (const one of found) sections.push(...(await section(one, plots)));
  const path = join(docsDir, 'benchmarks.md');
  const notes = await readFile(join(docsDir, 'benchmarks.notes.md'), 'utf8');
  await writeFile(path, `${[...head(found), ...sections, '', notes.trim()].join('\n')}\n`);
  return path;
}

/** Only at the sizes that a benchmark has by itself: the others were tries. */
async function latest(resultsDir: string, benchmarks: readonly Benchmark[]): Promise<Found[]> {
  const files = (await readdir(resultsDir).catch(() => [])).filter((file) => file.endsWith('.json')).sort();
  const found = new Map<string, Found>();
  for (const file of files) {
    const report = JSON.parse(await readFile(join(resultsDir, file), 'utf8')) as Report;
    for (const result of report.results) found.set(`${result.benchmark} ${result.count}`, { result, report });
  }
  const sorted = benchmarks.flatMap(({ name, count, sizes = [count], across }) => [
    ...sizes.map((size) => found.get(`${name} ${size}`)),
    ...(across ? [found.get(`${comparisonOf(name)} ${sizes.length}`)] : []),
  ]);
  if (sorted.every((one) => one === undefined)) throw new Error(`there are no results in ${resultsDir}`);
  return sorted.filter((one) => one !== undefined);
}

function head(found: readonly Found[]): string[] {
  const facts = Object.entries(found.at(-1)!.report.machine).map(([name, value]) => `- ${name}: ${value}`);
  const bars = found.flatMap(({ result }) =>
    rowsOf(result)
      .filter(([, , , bar]) => bar !== '')
      .map(([name, middle, spread, bar, , held]) =>
        [result.benchmark, result.count, name, middle, spread, bar, held].join(' | '),
      ),
  );
  return [
    '# Benchmarks',
    '',
    'Made by `npm run bench -- report` from the latest results on this machine; how each is measured is told in',
    '[bench/README.md](../bench/README.md). Medians of all runs, with the least and the most; red lines are bars.',
    '',
    ...facts,
    '',
    '## Bars',
    '',
    '| benchmark | count | figure | median | least … most | bar | held |',
    '| --- | ---: | --- | ---: | ---: | ---: | ---: |',
    ...bars.map((line) => `| ${line} |`),
  ];
}

async function section({ result, report }: Found, plots: string): Promise<string[]> {
  const title = `${result.benchmark}, ${result.count}`;
  const drawn: string[] = [];
  const draw = async (about: string, svg: string): Promise<void> => {
    const file = `${title}-${drawn.length + 1}`.replace(/[^a-z\d]+/gi, '-');
    await writeFile(join(plots, `${file}.svg`), svg);
    drawn.push('', `![${about}](benchmarks/${file}.svg)`);
  };
  for (const [unit, bars] of barsOf(result))
    if (bars.length >= LEAST) await draw(`${title}: ${unit}`, barsSvg(unit, bars));
  const lines = Object.entries(result.lines ?? {});
  if (lines.length > 0) await draw(`${title}: over time`, linesSvg(lines));
  return ['', `## ${title}`, '', `${titleOf(result)}. Measured at ${report.at}.`, '', ...grid(result), ...drawn];
}

function barsOf({ figures, runs }: Result): Map<string, Bar[]> {
  const byUnit = new Map<string, Bar[]>();
  for (const { name, unit, bar, atLeast } of figures) {
    const values = runs.map((run) => run[name]!);
    if (unit === '' || !values.every(Number.isFinite)) continue;
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const one = { name, median: median(values), least, most, wanted: bar ?? atLeast };
    byUnit.set(unit, [...(byUnit.get(unit) ?? []), one]);
  }
  return byUnit;
}
