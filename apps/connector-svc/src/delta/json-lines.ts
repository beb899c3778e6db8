import { ConnectorFault } from '../connector/fault';

const newline = 10;
const longestLine = 64 * 1024 * 1024;

/** The lines of a text that comes in pieces, those of one piece together; empty ones left out. `too_large` for a line of more than 64 MiB. */
export async function* linesOf(pieces: AsyncIterable<Buffer>): AsyncIterable<string[]> {
  let open: Buffer[] = [];
  let openBytes = 0;
  for await (const piece of pieces) {
    const end = piece.lastIndexOf(newline);
    openBytes += end < 0 ? piece.length : 0;
    if (openBytes > longestLine) throw new ConnectorFault('too_large', `a line has more than ${longestLine} bytes`);
    if (end < 0) {
      open.push(piece);
      continue;
    }
    yield split([...open, piece.subarray(0, end)]);
    open = [Buffer.from(piece.subarray(end + 1))];
    openBytes = open[0]!.length;
  }
  yield split(open);
}

function split(pieces: readonly Buffer[]): string[] {
  const text = pieces.length === 1 ? pieces[0]!.toString('utf8') : Buffer.concat(pieces).toString('utf8');
  return text.split('\n').filter((line) => line.trim() !== '');
}
