import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { probePaths, registryKind } from './registry-kind';

interface Case {
  readonly registry: string;
  readonly expect: string;
  readonly answers: Record<string, { status: number; headers: Record<string, string>; body: string }>;
}
const file = join(__dirname, '../../../../../test/fixtures/directory/probes.json');
const { probes } = JSON.parse(readFileSync(file, 'utf8')) as { probes: Case[] };

test.each(probes.map((one) => [one.registry, one] as const))('%s', (_name, { expect: wanted, answers }) => {
  const [base, management, discovery] = probePaths.map((path) => {
    const { status, headers, body } = answers[path]!;
    return { status, body: Buffer.from(body), header: (name: string) => headers[name] ?? null };
  });
  expect(registryKind(base!, management!, discovery!)).toBe(wanted);
});

test('a registry that could not be asked is unknown', () => {
  expect(registryKind(null, null, null)).toBe('unknown');
});
