import type { Verb } from '@homeostat/reconcile';
import type { RemoteRegistry, Sync } from '@homeostat/shared';
import type { Setback } from './sync.fault';

/** A sync as observed; `answer` is null until the outside world was asked in this look. */
export interface SyncSight {
  /** Without what was told in confidence. */
  readonly sync: Omit<Sync, 'secrets'>;
  /** Other syncs from the same remote host that are under way. */
  readonly busy: number;
  /** The lease under which it was observed. */
  readonly epoch: string;
  /** Whether there is a registry to copy to. */
  readonly registry: boolean;
  readonly registryFix: string;
  /** In [0, 1), drawn anew for each look. */
  readonly jitter: number;
  readonly settings: {
    readonly enabled: boolean;
    readonly intervalMs: number;
    readonly perHost: number;
    readonly retentionMs: number;
  };
  readonly answer: SyncAnswer | null;
}

/** What became of one record; `message` says it in words. */
export interface RecordFault {
  readonly cid: string;
  readonly reason: string;
  readonly message: string;
}

/** What one slice of work came to: each record of it is in one of the lists. */
export interface CopiedSlice {
  readonly remote: RemoteRegistry;
  readonly done: readonly string[];
  /** Of those that are done: what people should know of them. */
  readonly apart: readonly RecordFault[];
  /** No retry can help. */
  readonly failed: readonly RecordFault[];
  /** They may be copied another time. */
  readonly left: readonly RecordFault[];
  /** Of those that are done: what was there before, and was mended or has got something attached. */
  readonly refreshed: readonly string[];
  /** Manifests whose referrers our registry lists under a tag. */
  readonly fallbacks: readonly string[];
}

export type SyncAnswer =
  | { readonly found: 'tool' }
  | { readonly found: 'no_tool'; readonly reason: string; readonly message: string }
  | {
      readonly found: 'tags';
      readonly remote: RemoteRegistry;
      readonly cids: readonly string[];
      /** Where the listing goes on; null: it is complete. */
      readonly next: string | null;
    }
  | { readonly found: 'restart' }
  | ({ readonly found: 'slice' } & CopiedSlice)
  /** Somebody wants it to stop. */
  | { readonly found: 'stopped' }
  | Setback;

export type SyncReach = Verb & { readonly do: 'find_regsync' | 'list' | 'copy' };
export type SyncStep =
  | (Verb & { readonly do: 'start' | 'list_anew' | 'finish' | 'delete' | 'forget' })
  | (Verb & { readonly do: 'mark'; readonly reason: string })
  | (Verb & {
      readonly do: 'take_tags';
      readonly remote: RemoteRegistry;
      readonly cids: readonly string[];
      readonly next: string | null;
    })
  | (Verb & { readonly do: 'note'; readonly slice: CopiedSlice })
  | (Verb & {
      readonly do: 'requeue';
      readonly costs: boolean;
      readonly reason: string;
      readonly retryAt: Date;
      readonly slice: CopiedSlice | null;
    })
  | (Verb & { readonly do: 'fail'; readonly reason: string });
