import { hash } from 'node:crypto';
import type { Tx } from '@homeostat/platform';
import type { PlanFile } from '../connector/connector.port';
import { storedFacts } from './stored-facts';

/** A file as it is stored: once for all snapshots that say the same of it. */
export interface StoredFile {
  readonly digest: string;
  readonly content: string;
  readonly body: string;
}

/** Returns the text that a file is stored as. The path of a column with an id is found in the schema. */
export function storedFile(file: PlanFile): StoredFile {
  const body = JSON.stringify({
    ...{
      path: file.path,
      content: file.content,
      format: file.format,
      record_count: text(file.recordCount),
      bytes: text(file.bytes),
    },
    ...{ spec_id: file.specId, partition: file.partition, sequence_number: text(file.sequenceNumber) },
    ...{ added_snapshot_id: text(file.addedSnapshotId), equality_ids: file.equalityIds, applies_to: file.appliesTo },
    ...{
      content_offset: text(file.contentOffset),
      content_bytes: text(file.contentBytes),
      modified_at_ms: text(file.modifiedAtMs),
    },
    deletion_vector: file.deletionVector && {
      ...{ storage_type: file.deletionVector.storageType, cardinality: text(file.deletionVector.cardinality) },
      ...{ size_bytes: text(file.deletionVector.bytes), offset: text(file.deletionVector.offset) },
    },
    facts: storedFacts(file.columns),
  });
  return { digest: hash('sha256', body).slice(0, DIGEST_DIGITS), content: file.content, body };
}

/** As many as a uuid has. */
const DIGEST_DIGITS = 32;

/** Adds files to a reading, the first of them as number `first`. Of what is stored already, only the fact is written. */
export async function writeFiles(
  tx: Tx,
  tableId: string,
  load: string,
  first: number,
  files: readonly StoredFile[],
): Promise<void> {
  const find = 'SELECT id, digest FROM plan_file WHERE table_id = $1 AND digest = ANY ($2)';
  const rows = await tx.query<{ id: string; digest: string }>(find, [tableId, files.map(({ digest }) => digest)]);
  const ids = new Map(rows.map(({ id, digest }) => [digest.replaceAll('-', ''), id]));
  const unknown = new Map(files.filter(({ digest }) => !ids.has(digest)).map((file) => [file.digest, file]));
  if (unknown.size > 0) {
    const column = (name: 'digest' | 'content' | 'body'): string[] => [...unknown.values()].map((file) => file[name]);
    // One line each, since JSON has no bare line feed: as elements of an array all their quotes would be escaped.
    const made = await tx.query<{ id: string; digest: string }>(
      `INSERT INTO plan_file (table_id, digest, content, body)
       SELECT $1, * FROM unnest($2::uuid[], $3::text[], string_to_array($4, E'\\n')) RETURNING id, digest`,
      [tableId, column('digest'), column('content'), column('body').join('\n')],
    );
    for (const { id, digest } of made) ids.set(digest.replaceAll('-', ''), id);
  }
  await tx.query('INSERT INTO plan_entry (load_id, n, file_id) SELECT $1, * FROM unnest($2::integer[], $3::bigint[])', [
    load,
    files.map((_, n) => first + n),
    files.map(({ digest }) => ids.get(digest)),
  ]);
}

/** 64 bits as a string. */
export function text(value: bigint | null): string | null {
  return value === null ? null : String(value);
}
