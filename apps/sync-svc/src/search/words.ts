import type { Tx } from '@homeostat/platform';

/** Chosen once, at random: held shared by whoever writes words, and alone by whoever takes unused ones away. */
const WORDS_LOCK = 3_905_117_284;

/** Splits a term into its kind and its value. */
export function wordOf(term: string): [kind: string, value: string] {
  const at = term.indexOf('=');
  return [term.slice(0, at), term.slice(at + 1)];
}

/** Notes what records are found by, so that wildcards can be looked up in it. */
export async function noteWords(tx: Tx, terms: readonly string[]): Promise<void> {
  const words = [...new Set(terms)].sort().map(wordOf);
  if (words.length === 0) return;
  // A statement of its own: the next one sees what whoever held the lock alone has taken away.
  await tx.query('SELECT pg_advisory_xact_lock_shared($1)', [WORDS_LOCK]);
  await tx.query(
    `INSERT INTO record_word (kind, value) SELECT n.kind, n.value FROM unnest($1::text[], $2::text[]) AS n (kind, value)
     WHERE NOT EXISTS (SELECT FROM record_word w WHERE w.kind = n.kind AND w.value = n.value)
     ORDER BY n.kind COLLATE "C", n.value COLLATE "C" ON CONFLICT DO NOTHING`,
    [words.map(([kind]) => kind), words.map(([, value]) => value)],
  );
}

/** Takes away those of these terms that no record has any more. */
export async function forgetWords(tx: Tx, terms: readonly string[]): Promise<void> {
  const words = [...new Set(terms)].map(wordOf);
  if (words.length === 0) return;
  await tx.query('SELECT pg_advisory_xact_lock($1)', [WORDS_LOCK]);
  await tx.query(
    `DELETE FROM record_word w USING unnest($1::text[], $2::text[]) AS n (kind, value)
     WHERE w.kind = n.kind AND w.value = n.value
       AND NOT EXISTS (SELECT FROM record r WHERE r.terms @> ARRAY[n.kind || '=' || n.value])`,
    [words.map(([kind]) => kind), words.map(([, value]) => value)],
  );
}
