import { type PartitionSpec } from '../connector/connector.port';
import { type LeafType } from '../connector/data-type';
import { decimalText, floatText, uuidText } from '../connector/value-text';

/** Partition values by the names of the spec, in text, as stored: results of transforms, integers since 1970 for dates and times. */
export function partitionText(
  spec: PartitionSpec | undefined,
  stored: Readonly<Record<string, unknown>>,
  typeOf: (fieldId: number) => LeafType | undefined,
): Record<string, string | null> {
  const values = Object.values(stored);
  const entries = (spec?.fields ?? []).map(({ name, sourceIds, transform }, at): [string, string | null] => {
    const keepsType = transform === 'identity' || transform.startsWith('truncate');
    return [name, textOf(values[at], keepsType ? typeOf(sourceIds[0] ?? -1) : undefined)];
  });
  return Object.fromEntries(entries);
}

function textOf(value: unknown, type: LeafType | undefined): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number' && (type?.kind === 'float' || type?.kind === 'double')) return floatText(value);
  if (!Buffer.isBuffer(value)) return String(value);
  if (type?.kind === 'decimal')
    return decimalText(BigInt.asIntN(value.length * 8, BigInt(`0x0${value.toString('hex')}`)), type.scale);
  return type?.kind === 'uuid' ? uuidText(value) : value.toString('base64');
}
