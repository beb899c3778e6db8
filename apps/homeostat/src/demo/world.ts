/** What the builder of the demo makes of a commit. */
export type BuildFate = 'ready' | 'error' | 'never';

export interface Commit {
  readonly commit: string;
  readonly fate: BuildFate;
  /** The state in which its deployment is to end, and the reason that is then given. */
  readonly end: 'ready' | 'inactive' | 'failed';
  readonly reason: string | null;
}

export interface Street {
  readonly project: string;
  readonly environment: string;
  /** Deployed one after the other. */
  readonly commits: readonly Commit[];
}

export interface Claim {
  readonly name: string;
  /** What the demo's name server says of its record. */
  readonly record: 'right' | 'wrong' | 'absent';
  readonly end: 'verified' | 'pending';
  readonly reason: string;
}

const stays = (commit: string): Commit => ({ commit, fate: 'ready', end: 'ready', reason: null });
const goes = (commit: string): Commit => ({ commit, fate: 'ready', end: 'inactive', reason: 'Superseded' });

/** A dozen commits: newer ones supersede older ones, one build fails, one is never done. */
export const streets: readonly Street[] = [
  { project: 'shop', environment: 'production', commits: [goes('1f0c3aa'), goes('8b24e6d'), stays('c0ffee1')] },
  {
    project: 'shop',
    environment: 'preview',
    commits: [
      goes('5d1e7b2'),
      { commit: 'bad5eed', fate: 'error', end: 'failed', reason: 'BuildFailed' },
      stays('77aa31c'),
    ],
  },
  {
    project: 'blog',
    environment: 'production',
    commits: [
      goes('02d9f41'),
      { commit: '510deb1', fate: 'never', end: 'failed', reason: 'BuildTimeout' },
      stays('e4b7c90'),
    ],
  },
  { project: 'blog', environment: 'preview', commits: [goes('9a6f2d3'), goes('3c8e115'), stays('f00dcab')] },
];

export const claims: readonly Claim[] = [
  { name: 'shop.example', record: 'right', end: 'verified', reason: 'Verified' },
  { name: 'blog.example', record: 'wrong', end: 'pending', reason: 'RecordDiffers' },
  { name: 'docs.example', record: 'absent', end: 'pending', reason: 'RecordAbsent' },
];

export const regions = ['frankfurt', 'virginia', 'singapore'];

/** VMs kept warm; the demo is over when so many are free again. */
export const poolSize = 3;

/** Times that suit somebody who watches. */
export const settings = {
  RECONCILER_INTERVAL: '1s',
  RECONCILER_VM_POOL_SIZE: String(poolSize),
  RECONCILER_BUILD_TIMEOUT: '4s',
  RECONCILER_DEPLOYMENT_GRACE_PERIOD: '3s',
  RECONCILER_DOMAIN_CHECK_INTERVAL: '1s',
  RECONCILER_DNS_TIMEOUT: '1s',
  RECONCILER_SIMULATED_LATENCY_MS: '400',
  RECONCILER_LOG_LEVEL: 'error',
};
