import { type ObjectInfo } from '../storage/storage.port';

/** A complete checkpoint: one file, or all parts of one. */
export interface Checkpoint {
  readonly version: bigint;
  readonly files: readonly ObjectInfo[];
}

/** What a log's folder holds, by version. */
export interface LogListing {
  readonly commits: ReadonlyMap<bigint, ObjectInfo>;
  /** Complete ones only, several for a version when writers raced. */
  readonly checkpoints: ReadonlyMap<bigint, readonly Checkpoint[]>;
}

const commitName = /^(\d{20})\.json$/;
const checkpointName = /^(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10})|\.[0-9a-fA-F-]{36})?\.(parquet|json)$/;
const greatestVersion = 2n ** 63n - 1n;

/**
 * Sorts a log's files by what their names say (protocol, "Delta Log Entries", "Checkpoints"). `_last_checkpoint` is not asked: the listing
 * shows what it can only hint at. Files of other kinds and in folders below are passed over.
 */
export async function readListing(log: string, files: AsyncIterable<ObjectInfo>): Promise<LogListing> {
  const commits = new Map<bigint, ObjectInfo>();
  const candidates = new Map<string, ObjectInfo[]>();
  for await (const file of files) {
    const name = file.uri.slice(log.length);
    const version = BigInt(/^\d{20}(?=\.)/.exec(name)?.[0] ?? -1);
    if (version < 0n || version > greatestVersion) continue;
    if (commitName.test(name)) commits.set(version, file);
    else if (checkpointName.test(name)) push(candidates, setOf(name), file);
  }
  return { commits, checkpoints: complete(candidates) };
}

/**
 * The versions whose commit is there and whose state the listing can rebuild, in order (spec 3, "Delta"): all commits from 0 on, or from a
 * checkpoint on.
 */
export function rebuildable({ commits, checkpoints }: LogListing): bigint[] {
  const versions: bigint[] = [];
  let previous = -2n;
  let based = false;
  for (const version of [...commits.keys()].sort(ascending)) {
    if (version !== previous + 1n) based = version === 0n || checkpoints.has(version - 1n);
    based ||= checkpoints.has(version);
    if (based) versions.push(version);
    previous = version;
  }
  return versions;
}

/** The checkpoints a version's state may be built on without a broken commit, newest first; null: the empty state before version 0. */
export function basesOf(
  { commits, checkpoints }: LogListing,
  version: bigint,
  broken: ReadonlySet<bigint>,
): (Checkpoint | null)[] {
  const bases: (Checkpoint | null)[] = [];
  let at = version;
  for (; at >= 0n; at--) {
    bases.push(...(checkpoints.get(at) ?? []));
    if (!commits.has(at) || broken.has(at)) return bases;
  }
  return [...bases, null];
}

/** The newest version that a file of the log names; -1 for a log without versions. */
export function newestNamed({ commits, checkpoints }: LogListing): bigint {
  return [...commits.keys(), ...checkpoints.keys()].reduce((newest, one) => (one > newest ? one : newest), -1n);
}

/** Parts of one multi-part checkpoint are one set; every other checkpoint is a set of its own. */
function setOf(name: string): string {
  const [, version, part, parts] = checkpointName.exec(name)!;
  return part === undefined ? name : `${version}/${parts}`;
}

function complete(candidates: ReadonlyMap<string, readonly ObjectInfo[]>): Map<bigint, Checkpoint[]> {
  const checkpoints = new Map<bigint, Checkpoint[]>();
  for (const [set, files] of candidates) {
    const parts = Number(/\/(\d+)$/.exec(set)?.[1] ?? 1);
    const version = BigInt(set.slice(0, 20));
    if (files.length === parts) push(checkpoints, version, { version, files });
  }
  return checkpoints;
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
