import { deployments } from './deployments.mjs';
import { history } from './history.mjs';
import { settled } from './settled.mjs';
import { syncs } from './syncs.mjs';
import { vms } from './vms.mjs';

const listed = (checks, needsRest) => Object.entries(checks).map(([name, sql]) => ({ name, sql, needsRest }));

/**
 * Every check: what must hold, and one statement – hence one snapshot – that returns the rows for which it does not.
 * `needsRest`: holds only when the world has converged; the others hold at any instant.
 */
export const checks = [...listed({ ...vms, ...deployments, ...syncs, ...history }, false), ...listed(settled, true)];

/** Runs the checks by `query(sql)`, which resolves to rows; resolves to what is violated: `{ name, rows }`. */
export async function violations(query, { atRest }) {
  const violated = [];
  for (const { name, sql, needsRest } of checks) {
    if (needsRest && !atRest) continue;
    const rows = await query(sql);
    if (rows.length > 0) violated.push({ name, rows });
  }
  return violated;
}

/** The violations as text for people: every row of each, up to twenty. */
export function told(violated) {
  const line = (row) => `    ${JSON.stringify(row)}`;
  const more = (rows) => (rows.length > 20 ? [`    … and ${rows.length - 20} more`] : []);
  return violated
    .flatMap(({ name, rows }) => [`  VIOLATED: ${name}`, ...rows.slice(0, 20).map(line), ...more(rows)])
    .join('\n');
}
