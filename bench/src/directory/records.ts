import { createHash } from 'node:crypto';
import { cidOf } from '@homeostat/sync-svc';

/** A record as a registry has it. */
export interface Held {
  readonly cid: string;
  /** The OCI digest of its content. */
  readonly digest: string;
  readonly content: string;
}

/** The record of that number, always the same: some 900 bytes, as those of the directory's users. */
export function recordOf(n: number): Held {
  const content = JSON.stringify({
    name: nameOf(n),
    version: `${n % 5}.${n % 11}.0`,
    schema_version: n % 4 === 0 ? '0.8.0' : '1.0.0',
    description: `Agent ${n} ${'answers questions about what was measured, and does nothing else. '.repeat(5)}`,
    authors: [`author ${n % 500}`],
    created_at: new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString(),
    skills: [{ id: 10_000 + (n % 60), name: `language/skill_${n % 60}` }],
    domains: [{ id: n % 20, name: `science/domain_${n % 20}` }],
    locators: [{ type: n % 5 === 0 ? 'helm_chart' : 'docker_image', urls: [`${imageOf(n)}`] }],
    annotations: { env: n % 3 === 0 ? 'dev' : 'prod' },
  });
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  return { cid: cidOf(digest), digest, content };
}

function nameOf(n: number): string {
  return `fleet-${n % 1_000}/agents/agent-${n % 25_000}`;
}

function imageOf(n: number): string {
  return `https://images.example.com/org-${n % 100}/agent-${n}`;
}
