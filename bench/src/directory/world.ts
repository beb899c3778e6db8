import type { Database } from '../house/postgres';
import { recordOf } from './records';

const SLICE = 5_000;

const insert = `
  WITH made AS (
    SELECT uuidv7() AS id, n.cid, r, r ->> 'name' AS name, r ->> 'version' AS version, r #>> '{skills,0,id}' AS skill,
      r ->> 'schema_version' AS schema, r ->> 'created_at' AS at, r #>> '{locators,0,urls,0}' AS url
    FROM unnest($1::text[], $2::jsonb[]) AS n (cid, r)
  ), records AS (
    INSERT INTO record (id, tenant_id, cid, status, manifest_digest, size, name, version, version_key, schema_version, authored_at, indexed_at, terms)
    SELECT id, 'system', cid, 'indexed', 'sha256:' || md5(cid), 900, name, version,
      'b' || split_part(version, '.', 1) || '.' || CASE WHEN length(split_part(version, '.', 2)) > 1 THEN 'c' ELSE 'b' END
        || split_part(version, '.', 2) || '.b0~', schema, at::timestamptz, now(),
      ARRAY['name=' || name, 'version=' || version, 'schema-version=' || schema, 'created-at=' || lower(at),
        'author=' || (r #>> '{authors,0}'), 'skill-id=' || skill, 'skill-name=' || (r #>> '{skills,0,name}'),
        'domain-id=' || (r #>> '{domains,0,id}'), 'domain-name=' || (r #>> '{domains,0,name}'),
        'locator-type=' || (r #>> '{locators,0,type}'), 'locator-url=' || url, 'annotation=env=' || (r #>> '{annotations,env}')]
    FROM made
  )
  INSERT INTO reconcile_status (kind, key, due_at, rank_at, outcome, because, looked_at)
  SELECT 'records', id, NULL, now(), 'settled', 'it is indexed', now() FROM made`;

/** What the search has for wildcards, and a copy of what is searched for without an index, for the comparison. */
const rest = [
  `INSERT INTO record_word (kind, value)
   SELECT DISTINCT split_part(term, '=', 1), substr(term, strpos(term, '=') + 1) FROM record, unnest(terms) AS term`,
  `CREATE TABLE plain AS SELECT id, name, version, array_to_string(terms, E'\\n') AS terms FROM record`,
  'VACUUM ANALYZE',
  'CHECKPOINT',
];

/** Fills the index with the records that the registry has, as if all had been pulled. */
export async function indexedWorld({ query }: Database, count: number): Promise<void> {
  for (let from = 0; from < count; from += SLICE) {
    const some = Array.from({ length: Math.min(SLICE, count - from) }, (_, at) => recordOf(from + at));
    await query(insert, [some.map(({ cid }) => cid), some.map(({ content }) => content)]);
  }
  for (const sql of rest) await query(sql);
}
