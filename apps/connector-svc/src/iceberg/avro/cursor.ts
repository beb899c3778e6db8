/** Most counts are small, and each bigint is an object to be made and collected. */
const smallLongs = Array.from({ length: 4096 }, (_, value) => BigInt(value));

/** Bytes inside a block. A Buffer of their own would take ten times as long to make, and a manifest has millions of bounds. */
export class Slice {
  constructor(
    readonly block: Buffer,
    readonly at: number,
    readonly length: number,
  ) {}

  toBuffer(): Buffer {
    return this.block.subarray(this.at, this.at + this.length);
  }

  /** The first 8 bytes as a signed integer: a number where that is exact, which is ten times as fast to make, compare and print. */
  toInteger(): number | bigint {
    const high = this.block.readInt32LE(this.at + 4);
    const isExact = high >= -0x20_0000 && high < 0x20_0000;
    return isExact ? high * 2 ** 32 + this.block.readUInt32LE(this.at) : this.block.readBigInt64LE(this.at);
  }

  toText(): string {
    return this.block.toString('utf8', this.at, this.at + this.length);
  }
}

/** A position in the bytes of one Avro block. Every method throws RangeError where the bytes end too soon. */
export class Cursor {
  at = 0;

  constructor(readonly bytes: Buffer) {}

  /** The next `length` bytes, not copied. */
  take(length: number): Buffer {
    const start = this.at;
    if (length < 0 || length > this.bytes.length - start) throw new RangeError('it ends inside a value');
    this.at = start + length;
    return this.bytes.subarray(start, this.at);
  }

  /** An int, or a long below 2^53: lengths, counts, ids. */
  int(): number {
    const value = this.short();
    if (value !== null) return value;
    const long = this.wide();
    if (long < Number.MIN_SAFE_INTEGER || long > Number.MAX_SAFE_INTEGER) throw new RangeError('a number is too large');
    return Number(long);
  }

  long(): bigint {
    const value = this.short();
    if (value === null) return this.wide();
    return value >= 0 && value < smallLongs.length ? smallLongs[value]! : BigInt(value);
  }

  sized(): Buffer {
    return this.take(this.int());
  }

  slice(): Slice {
    const length = this.int();
    const start = this.at;
    if (length < 0 || length > this.bytes.length - start) throw new RangeError('it ends inside a value');
    this.at = start + length;
    return new Slice(this.bytes, start, length);
  }

  skipLong(): void {
    const { bytes } = this;
    while (bytes[this.at]! >= 0x80) this.at++;
    if (++this.at > bytes.length) throw new RangeError('it ends inside a value');
  }

  /** The zigzag number of at most four bytes that comes next; null, and nothing consumed, where it has more. */
  private short(): number | null {
    const { bytes } = this;
    let raw = 0;
    for (let at = this.at, shift = 0; shift < 28; shift += 7, at++) {
      const byte = bytes[at];
      if (byte === undefined) throw new RangeError('it ends inside a value');
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at + 1;
        return (raw >>> 1) ^ -(raw & 1);
      }
    }
    return null;
  }

  private wide(): bigint {
    let raw = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.take(1)[0]!;
      raw |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n));
    }
    throw new RangeError('a number has more than ten bytes');
  }
}
