import type { RemoteRegistry } from '@homeostat/shared';
import { RegistryBusy } from '../registry/registry.errors';
import { eachOf } from './each-of';
import { type Checked, type Here, type Sides, checkRecord, checkReferrers, hasRecord } from './record-check';
import { Gate } from './regsync/gate';
import type { RegsyncEntry } from './regsync/regsync.config';
import type { CopiedSlice, RecordFault } from './sync.sight';
import { setbackOf } from './sync.fault';

/** Requests to each registry at the same time. */
const AT_ONCE = 16;

/** regsync copies one record after the other, each in some forty requests: several of it run side by side. */
const RUNS = 2;
/** Of one run, unless there are too many. */
const RECORDS_OF_A_RUN = 10;

/** What regsync said about records that it could not copy, by their CIDs; null: about no certain one. */
export type Said = ReadonlyMap<string | null, string>;

/** Runs regsync on some entries whose source is a gate. */
export type RunRegsync = (gate: Gate, entries: readonly RegsyncEntry[], missingOnly: boolean) => Promise<Said>;

export interface Copy {
  readonly cids: readonly string[];
  readonly sides: Sides;
  readonly remote: RemoteRegistry;
  /** Address and repository of our registry, as regsync is to be told. */
  readonly target: string;
  readonly run: RunRegsync;
}

/**
 * Copies some records, with what is attached to them, and checks what came of it: what counts is what our registry has
 * in the end, not what regsync says (spec 2, "Sync"). Throws RegistryBusy, or what ended the run.
 */
export async function copySlice({ cids, sides, remote, target, run }: Copy): Promise<CopiedSlice> {
  const checked = await eachOf(cids, AT_ONCE, (cid) => unlessFailing(cid, () => checkRecord(cid, sides)));
  const pins = checked.flatMap((one) =>
    'digest' in one && one.digest !== null ? [[one.cid, one.digest] as const] : [],
  );
  const { attached, manifests, remote: client } = sides;
  const { repository } = remote;
  const behind = { http: client.http, repository, checked: new Map(pins), attached, manifests };
  const gate = new Gate(behind, sides.signal);
  await gate.open();
  const source = `${gate.address}/${repository}`;
  const runAll = async (some: readonly RegsyncEntry[][], missingOnly: boolean): Promise<Said> => {
    const said = await Promise.all(some.map((entries) => run(gate, entries, missingOnly)));
    return new Map(said.flatMap((one) => [...one]));
  };
  const pinned = (some: readonly Pinned[]): RegsyncEntry[] =>
    some.map(({ cid, digest }) => ({ source: `${source}@${digest}`, target: `${target}:${cid}` }));
  try {
    const wanted = checked.filter((one) => one.is === 'there');
    const mended = wanted.filter(({ bad }) => bad);
    const tags = wanted.flatMap(({ cid, bad }) => (bad ? [] : [cid]));
    const first = await runAll(
      spread(tags).map((some) => [{ source, target, tags: some }]),
      true,
    );
    await runAll(spread(pinned(mended)), false);
    const came = await eachOf(checked, AT_ONCE, (one) => unlessFailing(one.cid, () => arrived(one, first, sides)));
    // What was attached later is not copied with `--missing`; by its digest, nothing else comes with it (spec 2).
    const late = came.filter((one) => one.is === 'here' && one.missing > 0) as (Here & Pinned)[];
    const second = await runAll(spread(pinned(late)), false);
    const ended = await eachOf(came, AT_ONCE, (one) => unlessFailing(one.cid, () => completed(one, second, sides)));
    return summed(ended, [...mended, ...late], remote);
  } finally {
    await gate.close();
  }
}

interface Pinned {
  readonly cid: string;
  readonly digest: string;
}

/** Divides items among runs. */
function spread<Item>(items: readonly Item[]): Item[][] {
  const size = Math.max(RECORDS_OF_A_RUN, Math.ceil(items.length / RUNS));
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));
}

/** One record that cannot be asked for, or may not be read, does not keep the others; a registry that has no time for us does. */
async function unlessFailing(cid: string, work: () => Promise<Checked>): Promise<Checked> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RegistryBusy) throw error;
    const { reason, message } = setbackOf(error);
    return { cid, is: 'left', reason, message };
  }
}

/** What became of a record after the first run, and what it lacks. */
async function arrived(one: Checked, said: Said, sides: Sides): Promise<Checked> {
  if (one.is === 'here') return checkReferrers(one, sides);
  if (one.is !== 'there') return one;
  const { cid, digest } = one;
  if (await hasRecord(cid, digest, sides))
    return checkReferrers({ cid, is: 'here', digest, missing: 0, tagged: false }, sides);
  return { cid, is: 'left', reason: 'NotCopied', message: wordOn(cid, said, 'it') };
}

/** What became of a record after the second run. */
async function completed(one: Checked, said: Said, sides: Sides): Promise<Checked> {
  if (one.is !== 'here' || one.missing === 0) return one;
  const now = await checkReferrers(one, sides);
  if (now.missing === 0) return now;
  return { cid: one.cid, is: 'left', reason: 'ReferrersNotCopied', message: wordOn(one.cid, said, 'what is attached') };
}

function wordOn(cid: string, said: Said, what: string): string {
  return said.get(cid) ?? said.get(null) ?? `regsync ended, and ${what} is not here`;
}

function summed(ended: readonly Checked[], renewed: readonly Pinned[], remote: RemoteRegistry): CopiedSlice {
  const here = ended.filter((one) => one.is === 'here');
  const done = here.map(({ cid }) => cid);
  const faults = (is: 'failed' | 'left'): RecordFault[] =>
    ended.flatMap((one) => (one.is === is ? [{ cid: one.cid, reason: one.reason, message: one.message }] : []));
  return {
    ...{ remote, done, failed: faults('failed'), left: faults('left') },
    apart: here.flatMap(({ cid, apart }) => (apart ? [{ cid, ...apart }] : [])),
    refreshed: renewed.map(({ cid }) => cid).filter((cid) => done.includes(cid)),
    fallbacks: here.flatMap(({ tagged, digest }) => (tagged && digest !== null ? [digest] : [])),
  };
}
