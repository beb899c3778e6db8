import { type LeafType } from '../connector/data-type';
import {
  type Bound,
  dateText,
  decimalText,
  floatText,
  isNanos,
  timestampText,
  timeText,
  uuidText,
} from '../connector/value-text';
import { type Slice } from './avro/cursor';

/**
 * A bound from its bytes (Iceberg spec, "Appendix D: Single-value serialization"). The width decides where a column was promoted after
 * the file was written: 4 bytes of a long, or of a double. Null where the bytes do not fit the type, and for NaN, which orders nothing.
 */
export function boundOf(type: LeafType, bytes: Slice): Bound | null {
  switch (type.kind) {
    case 'boolean':
      return booleanBound(bytes);
    case 'int':
    case 'long':
      return integerBound(bytes);
    case 'float':
    case 'double':
      return floatBound(bytes);
    case 'decimal':
      return bytes.length === 0 || bytes.length > 16 ? null : decimalBound(bytes.toBuffer(), type.scale);
    case 'string':
      return textBound(bytes);
    case 'uuid':
      return bytes.length === 16 ? { value: bytes.toBuffer(), text: uuidText(bytes.toBuffer()) } : null;
    case 'fixed':
    case 'binary':
      return { value: bytes.toBuffer(), text: bytes.toBuffer().toString('base64') };
    case 'other':
    case 'byte':
    case 'short':
      return null;
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return momentBound(type.kind, bytes);
  }
}

type Moment = 'date' | 'time' | 'timestamp' | 'timestamptz' | 'timestamp_ns' | 'timestamptz_ns';

function momentBound(kind: Moment, bytes: Slice): Bound | null {
  // A date that was promoted to a timestamp keeps its 4 bytes: days.
  if (bytes.length === 4) return kind === 'time' ? null : dayBound(kind, bytes.block.readInt32LE(bytes.at));
  if (bytes.length !== 8 || kind === 'date') return null;
  const value = bytes.toInteger();
  return { value, text: kind === 'time' ? timeText(value) : timestampText(value, kind) };
}

function dayBound(kind: Exclude<Moment, 'time'>, day: number): Bound {
  if (kind === 'date') return { value: day, text: dateText(day) };
  const value = BigInt(day) * (isNanos(kind) ? 86_400_000_000_000n : 86_400_000_000n);
  return { value, text: timestampText(value, kind) };
}

function booleanBound(bytes: Slice): Bound | null {
  if (bytes.length !== 1) return null;
  const value = bytes.block[bytes.at] !== 0;
  return { value, text: String(value) };
}

function integerBound(bytes: Slice): Bound | null {
  if (bytes.length !== 4 && bytes.length !== 8) return null;
  const value = bytes.length === 4 ? bytes.block.readInt32LE(bytes.at) : bytes.toInteger();
  return { value, text: String(value) };
}

function floatBound(bytes: Slice): Bound | null {
  if (bytes.length !== 4 && bytes.length !== 8) return null;
  const value = bytes.length === 4 ? bytes.block.readFloatLE(bytes.at) : bytes.block.readDoubleLE(bytes.at);
  return Number.isNaN(value) ? null : { value, text: floatText(value) };
}

function decimalBound(bytes: Buffer, scale: number): Bound {
  const value = BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
  return { value, text: decimalText(value, scale) };
}

/** A cut inside a character is not text; such a bound says nothing that could be shown. */
function textBound(bytes: Slice): Bound | null {
  const text = bytes.toText();
  return text.includes('\uFFFD') && !Buffer.from(text, 'utf8').equals(bytes.toBuffer()) ? null : { value: text, text };
}
