// How long our files and functions are (docs/style.md): medians, and the longest.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from './root.mjs';

const files = ['apps', 'libs', 'bench'].flatMap((place) =>
  readdirSync(join(root, place), { recursive: true })
    .map((name) => join(place, name))
    .filter((name) => /src\/.*(?<!\.spec)\.ts$/.test(name) && !/node_modules|migrations|dist\//.test(name)),
);
const lengths = { files: [], functions: [] };
for (const file of files) measure(file);
for (const [what, found] of Object.entries(lengths)) show(what, found);

function measure(file) {
  const source = ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest);
  const lineOf = (position) => source.getLineAndCharacterOfPosition(position).line;
  lengths.files.push({ lines: lineOf(source.end), where: file });
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body) {
      const start = lineOf(node.getStart(source));
      lengths.functions.push({ lines: lineOf(node.end) - start + 1, where: `${file}:${start + 1}` });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

function show(what, found) {
  found.sort((a, b) => b.lines - a.lines);
  console.log(`${found.length} ${what}, median ${found[Math.floor(found.length / 2)]?.lines ?? 0} lines; the longest:`);
  for (const { lines, where } of found.slice(0, 5)) console.log(`${String(lines).padStart(5)}  ${where}`);
}
