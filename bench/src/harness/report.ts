import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Table from 'cli-table3';
import type { Figure, Measured } from './benchmark';
import type { Facts } from './machine';
import { median } from './statistics';

/** Points, x before y, by the name of their line. */
export type Lines = Readonly<Record<string, readonly (readonly [number, number])[]>>;

/** All runs of one benchmark at one size. */
export interface Result {
  readonly benchmark: string;
  readonly about: string;
  readonly count: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly figures: readonly Figure[];
  readonly runs: readonly Measured[];
  /** Lines that the last run has drawn, by name. */
  readonly lines?: Lines;
  /** How busy the machine was as each run began; the benchmark itself is in the later ones. */
  readonly loads: readonly number[];
}

/** Everything that one call measured. */
export interface Report {
  readonly at: string;
  readonly machine: Facts;
  readonly results: readonly Result[];
}

/** Lines between rows say nothing that the rows do not. */
const plain = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };
const head = ['', 'median', 'least … most', 'bar', 'of the bar', 'bar held', 'original', 'original : ours'];

/** The table for a terminal. */
export function tableOf(result: Result): string {
  const colAligns = head.map((_, at) => (at === 0 ? 'left' : 'right'));
  const table = new Table({ head, chars: plain, style: { head: [], border: [] }, colAligns });
  table.push(...rowsOf(result));
  return `${titleOf(result)}\n${table.toString()}`;
}

/** Writes `<at>.json` and `<at>.md` into the folder; returns the path of the latter. */
export async function writeReport(folder: string, report: Report): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, report.at.replaceAll(':', '-'));
  await writeFile(`${path}.json`, `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(`${path}.md`, markdownOf(report));
  return `${path}.md`;
}

function markdownOf({ at, machine, results }: Report): string {
  const facts = Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`);
  const tables = results.flatMap((result) => ['', `## ${result.benchmark}`, '', titleOf(result), '', ...grid(result)]);
  return `${[`# Benchmarks of ${at}`, '', ...facts, ...tables].join('\n')}\n`;
}

/** The table in Markdown, line by line. */
export function grid(result: Result): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rowsOf(result).map(line)];
}

/** What was measured, in one sentence. */
export function titleOf({ benchmark, about, count, settings, runs, loads }: Result): string {
  const set = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const where = set.length > 0 ? set.join(' ') : 'default settings';
  return `${benchmark}: ${count} ${about}; ${where}; ${runs.length} run(s), load before each: ${loads.join(', ')}`;
}

/** The rows of the table: name, median, least and most, bar, part of it, whether it is held, the original, beside ours. */
export function rowsOf({ figures, runs }: Result): string[][] {
  return figures.map(({ name, unit, bar, atLeast, original }) => {
    const values = runs.map((run) => run[name]!);
    if (!values.every(Number.isFinite)) return [name, 'not known here', ...head.slice(2).map(() => '')];
    const middle = median(values);
    const wanted = bar ?? atLeast;
    const inUnit = (value: number): string => [digits(value), unit].filter(Boolean).join(' ');
    return [
      name,
      inUnit(middle),
      `${digits(Math.min(...values))} … ${digits(Math.max(...values))}`,
      bar !== undefined ? `≤ ${inUnit(bar)}` : atLeast !== undefined ? `≥ ${inUnit(atLeast)}` : '',
      wanted === undefined ? '' : `${digits(middle / wanted)} ×`,
      wanted === undefined ? '' : isHeld(middle, { bar, atLeast }) ? 'yes' : '**no**',
      original === undefined ? '' : inUnit(original),
      original === undefined ? '' : `${digits(original / middle)} : 1`,
    ];
  });
}

function isHeld(value: number, { bar = Infinity, atLeast = -Infinity }: Pick<Figure, 'bar' | 'atLeast'>): boolean {
  return value <= bar && value >= atLeast;
}

/** The name under which the sizes of a benchmark are compared. */
export function comparisonOf(benchmark: string): string {
  return `${benchmark}, sizes compared`;
}

/** Three digits that mean something. */
export function digits(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
