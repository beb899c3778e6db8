// What must hold in a database of ours: `node test/invariants.mjs [--settled] postgres://…`
// Prints every row for which it does not, and fails; with --settled also what holds only at rest.
import { parseArgs } from 'node:util';
import pg from 'pg';
import { checks, told, violations } from './invariants/checks.mjs';

const { values, positionals } = parseArgs({
  options: { settled: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [url] = positionals;
if (!url) {
  console.error('Which database? node test/invariants.mjs [--settled] postgres://…');
  process.exit(2);
}
const client = new pg.Client({ connectionString: url });
await client.connect();
const violated = await violations(async (sql) => (await client.query(sql)).rows, { atRest: values.settled });
await client.end();
const count = checks.filter(({ needsRest }) => !needsRest || values.settled).length;
console.log(
  violated.length === 0
    ? `${count} invariants hold`
    : `${violated.length} of ${count} are violated:\n${told(violated)}`,
);
process.exitCode = violated.length === 0 ? 0 : 1;
