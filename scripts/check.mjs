// Everything that must hold before a push, two steps at a time: types, lint, format, unit specs.
import { availableParallelism } from 'node:os';
import { prepare } from './prepare.mjs';
import { elapsed, output } from './stage.mjs';

const node = (...args) => output(process.execPath, ...args);
const steps = [
  ['types', () => node('node_modules/typescript/bin/tsc', '-b')],
  ['unit specs', () => node('node_modules/jest/bin/jest.js', '--selectProjects', 'unit', '--silent', '--maxWorkers=1')],
  ['lint', () => node('node_modules/eslint/bin/eslint.js', '.')],
  ['format', () => node('node_modules/prettier/bin/prettier.cjs', '--check', '--cache', '--log-level=warn', '.')],
];

await prepare();
const startedMs = Date.now();
const failed = [];
const lane = async () => {
  for (let step = steps.shift(); step; step = steps.shift()) await run(...step);
};
await Promise.all([lane(), ...(availableParallelism() > 1 ? [lane()] : [])]);
console.log(
  failed.length === 0 ? `All well: ${elapsed(startedMs)}` : `Failed: ${failed.join(', ')} (${elapsed(startedMs)})`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

async function run(name, step) {
  const stepStartedMs = Date.now();
  const { code, text } = await step();
  if (code !== 0) failed.push(name);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${elapsed(stepStartedMs).padStart(7)}`);
  if (code !== 0) console.log(text.trimEnd());
}
