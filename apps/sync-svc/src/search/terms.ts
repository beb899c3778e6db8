import type { RecordBody } from '../record/validation/record.validation';
import { storable } from '../storable';

/** What a value is cut to where it is searched for: the indexes take no longer ones. */
const LONGEST = 512;
/** Terms of one record that are searched for; a record may hold a hundred thousand annotations. */
const MOST_TERMS = 2_000;

/** What values are found by, in whatever letter case: queries and records pass through here. */
export function folded(value: string): string {
  // The cut may go through a surrogate pair.
  return storable(value.toLowerCase().slice(0, LONGEST));
}

/** What a record is found by, as kind=value, each once. */
export function termsOf(record: RecordBody): string[] {
  const terms = new Set<string>();
  const add = (kind: string, value: string | number | undefined): void => {
    if (value !== undefined && terms.size < MOST_TERMS) terms.add(`${kind}=${folded(String(value))}`);
  };
  add('name', record.name);
  add('version', record.version);
  add('schema-version', record.schema_version);
  add('created-at', record.created_at);
  for (const author of record.authors) add('author', author);
  for (const kind of ['skill', 'domain', 'module'] as const) {
    for (const { id, name } of record[`${kind}s`] ?? []) {
      add(`${kind}-id`, id);
      add(`${kind}-name`, name);
    }
  }
  for (const { type, url, urls = [] } of record.locators ?? []) {
    add('locator-type', type);
    for (const one of url === undefined ? urls : [url, ...urls]) add('locator-url', one);
  }
  for (const [name, value] of Object.entries(record.annotations ?? {})) add('annotation', `${name}=${value}`);
  return [...terms];
}
