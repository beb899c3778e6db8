/** Every move that a resource may make: from a state, to any of these (spec 1); `new` is before the first. */
const moves = {
  deployments: {
    new: ['queued'],
    queued: ['building', 'failed'],
    building: ['ready', 'failed'],
    ready: ['inactive'],
  },
  builds: {
    new: ['queued'],
    queued: ['initializing', 'building', 'ready', 'canceled', 'error'],
    initializing: ['building', 'ready', 'canceled', 'error'],
    building: ['ready', 'canceled', 'error'],
  },
  vms: {
    new: ['initializing'],
    initializing: ['pooling', 'deleting'],
    pooling: ['starting', 'deleting'],
    starting: ['running', 'stopping', 'deleting'],
    running: ['stopping', 'deleting'],
    stopping: ['off', 'deleting'],
    off: ['initializing', 'deleting'],
    deleting: ['deleted'],
  },
  records: {
    new: ['pending'],
    pending: ['indexed', 'quarantined', 'referrer', 'deleted'],
    indexed: ['quarantined', 'referrer', 'deleted'],
    quarantined: ['indexed', 'referrer', 'deleted'],
    referrer: ['deleted'],
  },
  syncs: {
    new: ['PENDING'],
    PENDING: ['IN_PROGRESS', 'FAILED', 'DELETED'],
    IN_PROGRESS: ['PENDING', 'COMPLETED', 'FAILED', 'DELETE_PENDING'],
    DELETE_PENDING: ['DELETED'],
    COMPLETED: ['DELETED', 'deleted'],
    FAILED: ['DELETED', 'deleted'],
    DELETED: ['deleted'],
  },
  'name-verifications': {
    new: ['pending'],
    pending: ['verified', 'failed', 'deleted'],
    verified: ['failed', 'deleted'],
    failed: ['verified', 'deleted'],
  },
  domains: {
    new: ['pending'],
    pending: ['verified', 'expired', 'deleted'],
    verified: ['at_risk', 'deleted'],
    at_risk: ['verified', 'lapsed', 'deleted'],
    lapsed: ['pending', 'deleted'],
    expired: ['pending', 'deleted'],
  },
  connectors: {
    new: ['active'],
    active: ['conflict', 'deleted'],
    conflict: ['active', 'deleted'],
  },
  'reconcile-jobs': {
    new: ['JS_QUEUED'],
    JS_QUEUED: ['JS_RUNNING', 'JS_FAILED', 'JS_CANCELLED'],
    JS_RUNNING: ['JS_QUEUED', 'JS_SUCCEEDED', 'JS_FAILED', 'JS_CANCELLING'],
    JS_CANCELLING: ['JS_CANCELLED'],
    JS_SUCCEEDED: ['deleted'],
    JS_FAILED: ['deleted'],
    JS_CANCELLED: ['deleted'],
  },
};
const tables = { 'reconcile-jobs': 'reconcile_job', 'name-verifications': 'name_verification' };

const legal = Object.entries(moves)
  .flatMap(([kind, of]) =>
    Object.entries(of).flatMap(([from, all]) => all.map((to) => `('${kind}', '${from}', '${to}')`)),
  )
  .join(', ');

const rows = Object.keys(moves)
  .map((kind) => `SELECT '${kind}' AS kind, id AS key, status FROM ${tables[kind] ?? kind.replace(/s$/, '')}`)
  .join(' UNION ALL ');

/** What the history tells, at any instant: a change and its line are one transaction (design, invariant 5). */
export const history = {
  'only legal moves': `
    SELECT kind, key, from_state, to_state, because FROM state_change
    WHERE (kind, coalesce(from_state, 'new'), to_state) NOT IN (VALUES ${legal})`,
  'every move starts where the one before it ended': `
    SELECT * FROM (
      SELECT kind, key, id, from_state, to_state, lag(to_state) OVER (PARTITION BY kind, key ORDER BY id) AS before
      FROM state_change) AS chain
    WHERE from_state IS DISTINCT FROM before`,
  'the last move led to the present state': `
    SELECT kind, key, present.status, last.to_state FROM (${rows}) AS present
    FULL JOIN (SELECT DISTINCT ON (kind, key) kind, key, to_state FROM state_change ORDER BY kind, key, id DESC) AS last
      USING (kind, key)
    WHERE coalesce(present.status, 'deleted') IS DISTINCT FROM last.to_state`,
  'no deployment becomes ready twice': `
    SELECT key, count(*) FROM state_change WHERE kind = 'deployments' AND to_state = 'ready' GROUP BY key HAVING count(*) > 1`,
};
