import { execFileSync } from 'node:child_process';
import { findRabbitmq } from '@homeostat/platform';
import { type LakehousePrograms, lakehousePrograms, programPath } from '@homeostat/testing';

/** What a benchmark wants to find on the machine: says what is missing, with what to do, or null. */
export type Need = () => string | null;

export const rabbitmq: Need = () => faultOf(findRabbitmq);

export const registries: Need = () =>
  ['registry', 'regsync'].every((name) => programPath(name))
    ? null
    : 'registry or regsync is missing: `node test/registries.mjs` brings them';

export const lakehouseServers: Need = () => faultOf(findLakehouse);

/** Throws, with what to do, where one is missing. */
export function findLakehouse(): LakehousePrograms {
  const PATH = execFileSync('sh', ['-c', 'echo "$PATH"'], { encoding: 'utf8' }).trim();
  return lakehousePrograms({ PATH, CI: 'true' })!;
}

/** All that is missing, with what to do; null: nothing. */
export function missingFor(
  wanted: readonly { readonly name: string; readonly needs?: readonly Need[] }[],
): string | null {
  const missing = wanted.flatMap(({ name, needs = [] }) =>
    needs.flatMap((need) => need() ?? []).map((why) => `${name}: ${why}`),
  );
  return missing.length > 0 ? `Not all of that can be measured here.\n${missing.join('\n')}` : null;
}

function faultOf(find: () => unknown): string | null {
  try {
    find();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
