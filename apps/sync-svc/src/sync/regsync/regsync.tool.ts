import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { SETTINGS } from '@homeostat/platform';
import { Inject, Injectable } from '@nestjs/common';
import { execa } from 'execa';
import type { SyncSettings } from '../../sync.config';

/** Earlier ones leak credentials when they are redirected. */
const OLDEST = [0, 11, 5] as const;
const DEADLINE_MS = 10_000;
/** How long a good answer is believed. */
const GOOD_MS = 300_000;

/** Where regsync is, or why it cannot be used. */
export type Tool =
  { readonly program: string } | { readonly reason: 'RegsyncMissing' | 'RegsyncTooOld'; readonly message: string };

/** Finds regsync, and asks for its version. */
@Injectable()
export class RegsyncTool {
  private known: { readonly tool: Tool; readonly untilMs: number } | null = null;

  constructor(@Inject(SETTINGS) private readonly settings: SyncSettings) {}

  async find(): Promise<Tool> {
    if (this.known && performance.now() < this.known.untilMs) return this.known.tool;
    const tool = await this.look();
    this.known = 'program' in tool ? { tool, untilMs: performance.now() + GOOD_MS } : null;
    return tool;
  }

  private async look(): Promise<Tool> {
    const { RECONCILER_REGSYNC_BINARY: name, PATH: path } = this.settings;
    const program = await located(name, path);
    if (program === null) return { reason: 'RegsyncMissing', message: `There is no program ${name}.` };
    const options = { env: {}, extendEnv: false, timeout: DEADLINE_MS, maxBuffer: 64 * 1024, reject: false };
    const { stdout, shortMessage } = await execa(program, ['version'], { ...options, stdin: 'ignore' });
    const version = /\bv?(\d+)\.(\d+)\.(\d+)\b/.exec(/VCSTag:\s*(\S+)/.exec(stdout ?? '')?.[1] ?? '');
    if (version && isNewEnough(version.slice(1).map(Number))) return { program };
    const said = version ? `is ${version[0]}` : `does not say its version (${shortMessage ?? 'another program?'})`;
    return { reason: 'RegsyncTooOld', message: `${program} ${said}, and ${OLDEST.join('.')} is needed.` };
  }
}

function isNewEnough(version: readonly number[]): boolean {
  const at = OLDEST.findIndex((part, place) => version[place] !== part);
  return at < 0 || version[at]! > OLDEST[at]!;
}

/** The path of a program; null where nobody can run such a one. */
async function located(name: string, path: string): Promise<string | null> {
  const places = name.includes('/') ? [resolve(name)] : path.split(delimiter).map((folder) => join(folder, name));
  for (const place of places.filter(isAbsolute)) {
    if (
      await access(place, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return place;
  }
  return null;
}
