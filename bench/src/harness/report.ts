import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Table from 'cli-table3';
import type { Figure, Measured } from './benchmark';
import type { Facts } from './machine';
import { median } from './statistics';

/** All runs of one benchmark. */
export interface Result {
  readonly benchmark: string;
  readonly about: string;
  readonly count: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly figures: readonly Figure[];
  readonly runs: readonly Measured[];
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
const head = ['', 'median', 'least … most', 'bar', 'of the bar', 'original', 'original : ours'];

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
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const facts = Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`);
  const tables = results.flatMap((result) => [
    ...['', `## ${result.benchmark}`, '', titleOf(result), ''],
    ...[line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rowsOf(result).map(line)],
  ]);
  return `${[`# Benchmarks of ${at}`, '', ...facts, ...tables].join('\n')}\n`;
}

function titleOf({ benchmark, about, count, settings, runs, loads }: Result): string {
  const set = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const where = set.length > 0 ? set.join(' ') : 'default settings';
  return `${benchmark}: ${count} ${about}; ${where}; ${runs.length} run(s), load before each: ${loads.join(', ')}`;
}

function rowsOf({ figures, runs }: Result): string[][] {
  return figures.map(({ name, unit, bar, atLeast, original }) => {
    const values = runs.map((run) => run[name]!);
    if (values.some(Number.isNaN)) return [name, 'not known here', '', '', '', '', ''];
    const middle = median(values);
    const wanted = bar ?? atLeast;
    const inUnit = (value: number): string => [digits(value), unit].filter(Boolean).join(' ');
    return [
      name,
      inUnit(middle),
      `${digits(Math.min(...values))} … ${digits(Math.max(...values))}`,
      bar !== undefined ? `≤ ${inUnit(bar)}` : atLeast !== undefined ? `≥ ${inUnit(atLeast)}` : '',
      wanted === undefined ? '' : `${digits(middle / wanted)} ×`,
      original === undefined ? '' : inUnit(original),
      original === undefined ? '' : `${digits(original / middle)} : 1`,
    ];
  });
}

/** Three digits that mean something. */
function digits(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
