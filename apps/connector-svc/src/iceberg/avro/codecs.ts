import { decompressSnappy, decompressZstd } from 'hyparquet-compressors';
import { crc32, inflateRawSync } from 'node:zlib';

/** A block may unpack to so many bytes; writers make blocks of 64 kB. */
export const largestBlock = 64 << 20;
const largestZstdBlock = 128 << 10;

/** How blocks are unpacked, by the name in the header's `avro.codec`. All throw where a block would grow beyond the limit. */
export const unpack: Readonly<Record<string, (block: Buffer) => Buffer>> = {
  null: (block) => block,
  deflate: (block) => inflateRawSync(block, { maxOutputLength: largestBlock }),
  snappy: unpackSnappy,
  zstandard: (block) => {
    limited(largestUnpacked(block));
    return asBuffer(decompressZstd(block));
  },
};

/** Snappy, then the CRC of what was packed (Avro 1.11, "snappy"). */
function unpackSnappy(block: Buffer): Buffer {
  const packed = block.subarray(0, -4);
  let length = 0;
  for (let at = 0; at < 5; at++) {
    length += (packed[at]! & 0x7f) * 2 ** (7 * at);
    if (packed[at]! < 0x80) break;
  }
  limited(length);
  const bytes = asBuffer(decompressSnappy(packed, length));
  if (crc32(bytes) !== block.readUInt32BE(block.length - 4)) throw new RangeError('a checksum is wrong');
  return bytes;
}

/** What zstd data can grow to at most: the sum over its blocks (RFC 8878, 3.1.1), since the decoder itself has no limit. */
function largestUnpacked(data: Buffer): number {
  let total = 0;
  for (let at = 0; at < data.length;) {
    const magic = data.readUInt32LE(at);
    if (magic >>> 4 === 0x184d2a5) at += 8 + data.readUInt32LE(at + 4);
    else if (magic !== 0xfd2fb528) throw new RangeError('it is not zstd');
    else [at, total] = frame(data, at + 4, total);
  }
  return total;
}

function frame(data: Buffer, start: number, before: number): [number, number] {
  const descriptor = data.readUInt8(start);
  const single = (descriptor >> 5) & 1;
  const sizeBytes = descriptor >> 6 ? 1 << (descriptor >> 6) : single;
  const declared =
    sizeBytes === 0 ? 0 : data.readUIntLE(start + 1 + (1 - single) + dictionary(descriptor), Math.min(sizeBytes, 6));
  let at = start + 1 + (1 - single) + dictionary(descriptor) + sizeBytes;
  let total = before;
  for (let last = false; !last;) {
    const head = data.readUIntLE(at, 3);
    const [type, size] = [(head >> 1) & 3, head >> 3];
    last = (head & 1) === 1;
    total += type === 2 ? largestZstdBlock : size;
    at += 3 + (type === 1 ? 1 : size);
  }
  return [at + (descriptor & 4 ? 4 : 0), Math.max(total, before + declared)];
}

function dictionary(descriptor: number): number {
  return [0, 1, 2, 4][descriptor & 3]!;
}

function limited(length: number): void {
  if (length > largestBlock) throw new RangeError(`a block grows beyond ${largestBlock} bytes`);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
