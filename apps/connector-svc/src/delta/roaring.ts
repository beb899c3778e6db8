const magic = 1_681_511_377;
const withoutRuns = 12_346;
const withRuns = 12_347;
const mostInArray = 4096;
const bitsetBytes = 8192;

/** How many rows a vector marks: 64-bit Roaring bitmaps in the portable form behind Delta's magic number; null for other bytes. */
export function rowsMarked(bytes: Buffer): bigint | null {
  try {
    if (bytes.readUInt32LE(0) !== magic) return null;
    const bitmaps = bytes.readBigUInt64LE(4);
    let [at, rows] = [12, 0n];
    for (let index = 0n; index < bitmaps; index++) {
      const bitmap = readBitmap(bytes, at + 4);
      rows += BigInt(bitmap.rows);
      at = bitmap.end;
    }
    return at === bytes.length ? rows : null;
  } catch {
    // Behind the end, or no bitmap.
    return null;
  }
}

/** One 32-bit bitmap of the format specification of RoaringFormatSpec. Its containers are stepped over: their heads say what they hold. */
function readBitmap(bytes: Buffer, start: number): { readonly rows: number; readonly end: number } {
  const cookie = bytes.readUInt32LE(start);
  const runs = (cookie & 0xffff) === withRuns;
  if (!runs && cookie !== withoutRuns) throw new RangeError('no Roaring bitmap');
  const count = runs ? (cookie >>> 16) + 1 : bytes.readUInt32LE(start + 4);
  const flags = start + 4;
  const heads = runs ? flags + Math.ceil(count / 8) : start + 8;
  const offsets = runs && count < 4 ? 0 : count * 4;
  let [rows, end] = [0, heads + count * 4 + offsets];
  for (let index = 0; index < count; index++) {
    const held = bytes.readUInt16LE(heads + index * 4 + 2) + 1;
    const isRun = runs && (bytes.readUInt8(flags + (index >> 3)) & (1 << (index & 7))) !== 0;
    end += isRun ? 2 + 4 * bytes.readUInt16LE(end) : held > mostInArray ? bitsetBytes : held * 2;
    rows += held;
  }
  return { rows, end };
}
