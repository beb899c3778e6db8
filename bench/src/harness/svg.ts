import { digits } from './report';

/** One bar: the median, and the least and the most as a whisker. */
export interface Bar {
  readonly name: string;
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** What is wanted, drawn across. */
  readonly wanted?: number;
}

const WIDTH = 860;
const NAMES = 430;
const ROW = 24;
const ROOM = WIDTH - NAMES - 90;
const PANEL = 110;

/** Horizontal bars of one unit, as an SVG document. */
export function barsSvg(unit: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map((bar) => Math.max(bar.most, bar.wanted ?? 0))) || 1;
  const at = (value: number): number => NAMES + (ROOM * Math.max(0, value)) / most;
  const rows = bars.flatMap(({ name, median, least, most: highest, wanted }, row) => {
    const y = ROW * row + 8;
    return [
      text(NAMES - 8, y + 12, name, 'end'),
      `<rect x="${NAMES}" y="${y}" width="${round(at(median) - NAMES)}" height="16" fill="${colour(name)}"/>`,
      `<line x1="${round(at(least))}" x2="${round(at(highest))}" y1="${y + 8}" y2="${y + 8}" stroke="#222"/>`,
      text(at(highest) + 6, y + 12, `${digits(median)} ${unit}`),
      wanted === undefined ? '' : vertical(at(wanted), y - 3, y + 19),
    ];
  });
  return svg(ROW * bars.length + 12, rows);
}

/** Lines over minutes, each in a panel with a scale of its own from 0, as an SVG document. */
export function linesSvg(lines: readonly (readonly [string, readonly (readonly [number, number])[]])[]): string {
  const panels = lines.flatMap(([name, points], row) => {
    const drawn = points.filter(([, y]) => Number.isFinite(y));
    const [right, top] = [Math.max(...drawn.map(([x]) => x)), Math.max(...drawn.map(([, y]) => y)) || 1];
    const floor = PANEL * (row + 1) - 14;
    const place = ([x, y]: readonly [number, number]): string =>
      `${round(50 + ((WIDTH - 70) * x) / right)},${round(floor - ((PANEL - 40) * y) / top)}`;
    return [
      text(50, PANEL * row + 18, `${name}: at most ${digits(top)}, over ${digits(right)} minutes`),
      `<line x1="50" x2="${WIDTH - 20}" y1="${floor}" y2="${floor}" stroke="#999"/>`,
      `<polyline points="${drawn.map(place).join(' ')}" fill="none" stroke="#2563eb" stroke-width="1.5"/>`,
    ];
  });
  return svg(PANEL * lines.length, panels);
}

function svg(height: number, parts: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`;
  return `${[head, `<rect width="100%" height="100%" fill="#fff"/>`, ...parts.filter(Boolean), '</svg>'].join('\n')}\n`;
}

function text(x: number, y: number, what: string, anchor: 'start' | 'end' = 'start'): string {
  const safe = what.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${round(x)}" y="${y}" text-anchor="${anchor}" fill="#222">${safe}</text>`;
}

function vertical(x: number, from: number, to: number): string {
  return `<line x1="${round(x)}" x2="${round(x)}" y1="${from}" y2="${to}" stroke="#dc2626" stroke-width="2"/>`;
}

/** Ours are to be found among the others. */
function colour(name: string): string {
  return /graphile|BullMQ|pg-boss|amqplib|ILIKE|pyiceberg/.test(name) ? '#9ca3af' : '#2563eb';
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
