import { readFileSync } from 'node:fs';
import { SETTINGS } from '@homeostat/platform';
import { Inject, Injectable } from '@nestjs/common';
import { storable } from '../../storable';
import type { SyncSettings } from '../../sync.config';
import type { Said } from '../copy';
import type { Gate } from './gate';
import { onLeash } from './leash';
import { type RegsyncEntry, type RegsyncHost, regsyncConfig } from './regsync.config';
import { regsyncNews } from './regsync.log';

/** Faults that are remembered of one run. */
const MOST_FAULTS = 1_000;

/** One run. */
export interface Run {
  /** The path of regsync. */
  readonly program: string;
  readonly gate: Gate;
  readonly entries: readonly RegsyncEntry[];
  /** Leaves tags alone that the target has. */
  readonly missingOnly: boolean;
  /** Told the CID of each record as it is begun. */
  readonly copying: (cid: string) => void;
}

/** Runs regsync, from a gate to our registry. */
@Injectable()
export class Regsync {
  constructor(@Inject(SETTINGS) private readonly settings: SyncSettings) {}

  /** Where records are copied to. */
  get target(): string {
    return `${this.local.registry}/${this.settings.RECONCILER_LOCAL_REGISTRY_REPOSITORY}`;
  }

  /**
   * Runs until it ends, its time is over, or `signal` is aborted; returns what it said about what it could not copy. Its
   * exit code says nothing that counts. Throws the signal's reason.
   */
  async run({ program, gate, entries, missingOnly, copying }: Run, signal: AbortSignal): Promise<Said> {
    const { user, pass } = gate.login;
    const source = { registry: gate.address, tls: 'disabled', user, pass } as const;
    const said = new Map<string | null, string>();
    const told = (line: string): void => {
      const news = regsyncNews(line);
      if (news?.tells === 'copying') copying(news.cid);
      if (news?.tells === 'fault' && said.size < MOST_FAULTS) said.set(news.cid, this.scrubbed(news.message, gate));
    };
    const timeout = AbortSignal.timeout(this.settings.RECONCILER_REGSYNC_TIMEOUT);
    const args = ['once', '-c', '-', '--logopt', 'json', ...(missingOnly ? ['--missing'] : [])];
    const input = regsyncConfig([source, this.local], entries);
    await onLeash({ program, args, input, told }, AbortSignal.any([signal, timeout]));
    signal.throwIfAborted();
    if (timeout.aborted)
      said.set(null, `regsync was ended after ${this.settings.RECONCILER_REGSYNC_TIMEOUT / 1_000} s`);
    return said;
  }

  private get local(): RegsyncHost {
    const { RECONCILER_LOCAL_REGISTRY_USERNAME: user, RECONCILER_LOCAL_REGISTRY_INSECURE: insecure } = this.settings;
    const { RECONCILER_LOCAL_REGISTRY_CA_FILE: caFile, RECONCILER_LOCAL_REGISTRY_ADDRESS: address } = this.settings;
    const hasPort = /:\d+$/.test(address!.replace(/^\[.*\]/, ''));
    return {
      registry: hasPort ? address! : `${address}:${insecure ? 80 : 443}`,
      tls: insecure ? 'disabled' : 'enabled',
      ...(user !== null && { user, pass: this.settings.RECONCILER_LOCAL_REGISTRY_PASSWORD }),
      ...(caFile !== null && { regcert: readFileSync(caFile, 'utf8') }),
    };
  }

  private scrubbed(message: string, gate: Gate): string {
    const password = this.settings.RECONCILER_LOCAL_REGISTRY_PASSWORD;
    const clean = password === '' ? message : message.replaceAll(password, '•••');
    return storable(clean.replaceAll(gate.address, gate.remote));
  }
}
