import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import config from '../../eslint.config.mjs';

const untyped = new ESLint({
  overrideConfigFile: true,
  baseConfig: config,
  overrideConfig: tseslint.configs.disableTypeChecked,
});

/** The rules that `code` breaks when it stands in `filePath`, `rule: message` each. */
async function broken(filePath: string, code: string): Promise<string[]> {
  const [result] = await untyped.lintText(`${code}\n`, { filePath });
  return result!.messages.map(({ ruleId, message }) => `${ruleId}: ${message}`);
}

const decision = 'apps/vm-pool-svc/src/pool/pool.decide.ts';
const engine = 'libs/reconcile/src/loop.ts';
const service = 'apps/deploy-svc/src/deploy.reconciler.ts';

describe('the import fence', () => {
  it.each([
    ['an app imports no other app', service, `export * from '@homeostat/domain-svc';`],
    ['not by its path either', service, `export * from '../../domain-svc/src/index';`],
    ['nor as a type', service, `import type { A } from '@homeostat/domain-svc';\nexport type B = A;`],
    ['nor through import() or require', service, `export const a = () => import('@homeostat/domain-svc');`],
    ['a spec of an app imports no other app', 'apps/deploy-svc/src/a.spec.ts', `import '@homeostat/vm-pool-svc';`],
    ['the engine imports none of ours', engine, `import '@homeostat/shared';`],
    ['the engine imports no package', engine, `import 'rxjs';`],
    ['the engine imports no part of Node', engine, `import 'node:events';`],
    ['shared imports none of ours', 'libs/shared/src/codes.ts', `import '@homeostat/reconcile';`],
    ['platform imports no app', 'libs/platform/src/a.ts', `import '@homeostat/deploy-svc';`],
    ['platform imports testing only in specs', 'libs/platform/src/a.ts', `import '@homeostat/testing';`],
    ['a service imports testing only in specs', service, `import '@homeostat/testing';`],
    ['our packages are imported by name alone', service, `import '@homeostat/shared/src/codes';`],
    ['a service does not know TypeORM', service, `import { DataSource } from 'typeorm';\nexport { DataSource };`],
    ['a service does not know pg', service, `import 'pg';`],
    ['a service does not know the transport', service, `import '@nestjs/microservices';`],
    ['a service does not know the metrics library', service, `import 'prom-client';`],
    ['a service does not know the logger', service, `import 'pino';`],
    ['shared knows TypeORM but not pg', 'libs/shared/src/a.ts', `import 'pg';`],
    ['nobody imports the process', service, `import { env } from 'node:process';\nexport { env };`],
  ])('%s', async (_, filePath, code) => {
    expect(await broken(filePath, code)).toEqual([expect.stringMatching(/^fences\/imports: /)]);
  });

  it.each([
    ['a service imports the libraries', service, `import '@homeostat/shared';\nimport '@homeostat/platform';`],
    ['a service knows Nest', service, `import '@nestjs/common';`],
    ['a service handles events', 'apps/deploy-svc/src/deploy.events.ts', `import '@nestjs/microservices';`],
    ['a new service is held to the same order', 'apps/sync-svc/src/a.ts', `import '@homeostat/reconcile';`],
    ['the all-in-one imports the services', 'apps/homeostat/src/up.ts', `import '@homeostat/vm-pool-svc';`],
    ['the all-in-one imports a new service', 'apps/homeostat/src/up.ts', `import '@homeostat/sync-svc';`],
    ['its demo imports testing', 'apps/homeostat/src/demo/world.ts', `import '@homeostat/testing';`],
    ['specs import testing', 'libs/platform/src/a.int.spec.ts', `import '@homeostat/testing';`],
    ['platform knows the database', 'libs/platform/src/a.ts', `import 'typeorm';\nimport 'pg';`],
    ['entities are written with TypeORM', 'libs/shared/src/entities/a.ts', `import 'typeorm';`],
    ['benchmarks import apps', 'bench/src/a.ts', `import '@homeostat/deploy-svc';`],
  ])('lets through: %s', async (_, filePath, code) => {
    expect(await broken(filePath, code)).toEqual([]);
  });
});

describe('the purity of decisions', () => {
  it.each([
    ['asks no clock', `export const a = () => Date.now();`],
    ['asks no clock by a new Date', `export const a = () => new Date();`],
    ['asks no clock by calling Date', `export const a = () => Date();`],
    ['throws no dice', `export const a = () => Math.random();`],
    ['makes no ids', `export const a = () => crypto.randomUUID();`],
    ['reads no process', `export const a = () => process.pid;`],
    ['reads no settings', `export const a = () => process.env.HOME;`],
    ['is not async', `export const a = async () => 1;`],
    ['is not async as a function', `export async function a() {}`],
    ['throws nothing', `export function a() {\n  throw new Error('a');\n}`],
    ['sets no timers', `export const a = () => setTimeout(() => {}, 1);`],
    ['fetches nothing', `export const a = () => fetch('http://localhost');`],
    ['reaches nothing through globalThis', `export const a = () => globalThis.Date;`],
    ['remembers nothing', `let a = 1;\nexport const b = () => a++;`],
    ['imports no value of a package', `import { v7 } from 'uuid';\nexport const a = v7;`],
    ['imports no value of Node', `import { hostname } from 'node:os';\nexport const a = hostname;`],
    ['imports nothing for its effects', `import 'reflect-metadata';`],
    ['imports no impure sibling', `import { a } from './pool.reconciler';\nexport const b = a;`],
    [
      'imports no more of the engine than its constructors',
      `import { Loop } from '@homeostat/reconcile';\nexport const a = Loop;`,
    ],
    ['re-exports nothing impure', `export { a } from './pool.reconciler';`],
    ['loads nothing at run time', `export const a = () => import('./pool.reconciler');`],
  ])('a decision %s', async (_, code) => {
    const rules = await broken(decision, code);
    expect(rules).not.toEqual([]);
    for (const rule of rules)
      expect(rule).toMatch(/^(fences\/pure-imports|no-restricted-(syntax|globals|properties)): /);
  });

  it('logs nothing', async () => {
    expect(await broken(decision, `export const a = () => console.log(1);`)).toContainEqual(
      expect.stringContaining('no-restricted-globals'),
    );
  });

  it('may name types, other decisions, the constructors and a given time', async () => {
    const code = `import { act, type Decision, wait } from '@homeostat/reconcile';
import type { VmStatus } from '@homeostat/shared';
import type { Row } from './pool.reconciler';
import { type Address, first } from '../address/address.decide';

const hourMs = 3_600_000;

export function decide(row: Row & { at: Address; status: VmStatus }, now: Date): Decision<{ do: 'boot' }> {
  const until = new Date(now.getTime() + hourMs);
  return row.status === first ? act({ do: 'boot' }, 'asked for') : wait('full', until);
}`;
    expect(await broken(decision, code)).toEqual([]);
  });
});

describe('the rest of the house', () => {
  it('reads settings in one file', async () => {
    const code = `export const home = process.env.HOME;`;
    expect(await broken('libs/platform/src/log.ts', code)).toEqual([
      expect.stringMatching(/^no-restricted-properties: /),
    ]);
    expect(await broken('libs/platform/src/settings.ts', code)).toEqual([]);
    expect(await broken('libs/platform/src/log.spec.ts', code)).toEqual([]);
  });

  it('exports by name', async () => {
    expect(await broken(service, `export default 1;`)).toEqual([expect.stringMatching(/^no-restricted-syntax: /)]);
  });

  it('has no any', async () => {
    const rule = expect.stringMatching(/^@typescript-eslint\/no-explicit-any: /);
    expect(await broken(service, `export const a = (b: any) => String(b);`)).toEqual([rule]);
  });

  it('lets no promise float', async () => {
    const { rules } = (await new ESLint({ overrideConfigFile: true, baseConfig: config }).calculateConfigForFile(
      service,
    )) as {
      rules: Record<string, unknown[]>;
    };
    expect(rules['@typescript-eslint/no-floating-promises']![0]).toBe(2);
  });
});
