const bare = /^[\w.:+-]+$/;

/**
 * Writes an array as PostgreSQL reads it (documentation, 8.15.2): `{a,"b c",NULL}`. Batches are arrays of thousands of
 * short words, and quoting each of them took a tenth of the process' time.
 */
export function arrayLiteral(items: readonly unknown[]): string {
  return `{${items.map(element).join(',')}}`;
}

function element(item: unknown): string {
  if (item === null || item === undefined) return 'NULL';
  if (typeof item === 'string') return text(item);
  if (item instanceof Date) return `"${item.toISOString()}"`;
  return typeof item === 'object' ? quoted(JSON.stringify(item)) : String(item);
}

function text(item: string): string {
  return bare.test(item) && item.toUpperCase() !== 'NULL' ? item : quoted(item);
}

function quoted(item: string): string {
  return `"${item.replace(/["\\]/g, '\\$&')}"`;
}
