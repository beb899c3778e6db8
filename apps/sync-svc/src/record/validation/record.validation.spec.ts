import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BadArtifact } from '../../registry/registry.errors';
import { RECORD_LIMIT, parseRecord } from './record.validation';

const folder = join(__dirname, '../../../../../test/fixtures/directory');
interface Row {
  readonly file: string;
  readonly name: string | null;
  readonly valid: boolean;
  readonly reason?: string;
  readonly attribute?: string;
}
const { records } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { records: Row[] };

function faultOf(bytes: Buffer | string): BadArtifact {
  try {
    parseRecord(Buffer.from(bytes));
  } catch (error) {
    if (error instanceof BadArtifact) return error;
    throw error;
  }
  throw new Error('it was found valid');
}

const camel = (words: string) => words.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
const good = JSON.parse(readFileSync(join(folder, 'records/fleet-2.0.0.json'), 'utf8')) as Record<string, unknown>;
const withText = (member: string) => JSON.stringify(good).replace(/}$/, `,${member}}`);

describe('parseRecord', () => {
  it.each(records.filter(({ valid }) => valid))('takes $file', ({ file, name }) => {
    expect(parseRecord(readFileSync(join(folder, file))).body.name).toBe(name);
  });

  it.each(records.filter(({ valid }) => !valid))('refuses $file: $reason', ({ file, reason, attribute }) => {
    const { fault, message } = faultOf(readFileSync(join(folder, file)));
    expect(fault).toBe(camel(reason!));
    if (attribute) expect(message).toContain(attribute);
  });

  it.each([
    ['a name twice', withText('"name":"another"'), 'DuplicateKey'],
    ['a name twice, escaped', withText(String.raw`"\u006eame":"another"`), 'DuplicateKey'],
    ['a name twice, deep inside', withText('"x":[{"y":{"z":1,"z":1}}]'), 'DuplicateKey'],
    ['a NUL character', withText(String.raw`"x":"a\u0000b"`), 'UnstorableText'],
    ['half a surrogate pair', withText(String.raw`"x":["\ud83d"]`), 'UnstorableText'],
    ['half a surrogate pair in a name', withText(String.raw`"\ude00":1`), 'UnstorableText'],
    ['a byte order mark', `\uFEFF${JSON.stringify(good)}`, 'ByteOrderMark'],
    ['65 levels', withText(`"x":${'['.repeat(64)}${']'.repeat(64)}`), 'TooDeep'],
    ['a million levels', `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`, 'TooDeep'],
    ['a million levels that never end', '['.repeat(1_000_000), 'NotJson'],
    ['nothing', '', 'NotJson'],
    ['null', 'null', 'NotAnObject'],
    ['a number as its schema version', JSON.stringify({ ...good, schema_version: 1 }), 'WrongType'],
    ['no schema version', JSON.stringify({ ...good, schema_version: undefined }), 'MissingAttribute'],
    ['an empty name', JSON.stringify({ ...good, name: '' }), 'BadFormat'],
    ['an annotation that is no text', JSON.stringify({ ...good, annotations: { a: 1 } }), 'WrongType'],
  ])('refuses %s', (_what, text, fault) => {
    expect(faultOf(text).fault).toBe(fault);
  });

  it('refuses what is not UTF-8', () => {
    expect(faultOf(Buffer.from([0x22, 0xff, 0x22])).fault).toBe('NotJson');
  });

  it('takes escapes, whole surrogate pairs, equal names in different objects, and 64 levels', () => {
    const member = String.raw`"x":"\ud83d\ude00 \\u0000 \" \\","y":[{"a":1},{"a":2}],"z":${'['.repeat(63)}${']'.repeat(63)}`;
    expect(parseRecord(Buffer.from(withText(member))).body.name).toBe(good['name']);
  });

  it('takes 4 MiB, and not a byte more', () => {
    const padded = (size: number) => {
      const empty = JSON.stringify({ ...good, description: '' }).length;
      return Buffer.from(JSON.stringify({ ...good, description: 'd'.repeat(size - empty) }));
    };
    expect(padded(RECORD_LIMIT)).toHaveLength(RECORD_LIMIT);
    expect(parseRecord(padded(RECORD_LIMIT)).body.name).toBe(good['name']);
    expect(faultOf(padded(RECORD_LIMIT + 1)).fault).toBe('TooLarge');
  });

  it.each(['0.7.0', '0.7.12', '0.8.0', '1.0.0', '1.12.3', '1.0.0-rc.1'])(
    'knows schema version %s',
    (schema_version) => {
      const body = { ...good, schema_version, locators: [] };
      expect(parseRecord(Buffer.from(JSON.stringify(body))).body.schema_version).toBe(schema_version);
    },
  );

  it.each(['0.6.0', '0.9.0', '2.0.0', '1', '1.0', 'v1.0.0', '0.70.1', '10.0.0', ' 1.0.0', '1.0.0/../x'])(
    'does not know schema version %j',
    (schema_version) => {
      expect(faultOf(JSON.stringify({ ...good, schema_version })).fault).toBe('UnsupportedSchemaVersion');
    },
  );
});
