import { dirname, relative, resolve, sep } from 'node:path';

/** Which of our own packages each place may import, by name; `*-svc` is any service. Specs may also import `testing`. */
const layers = {
  'libs/reconcile': [],
  'libs/shared': [],
  'libs/platform': ['shared', 'reconcile'],
  'libs/testing': ['platform', 'shared', 'reconcile'],
  'apps/homeostat': ['platform', 'shared', 'reconcile', '*-svc'],
  'apps/*': ['platform', 'shared', 'reconcile'],
  bench: null,
  test: null,
};

/** Packages that only some places may know about, so that the others can do without them. */
const keepers = [
  { packages: /^(typeorm)(\/|$)/, places: ['libs/platform', 'libs/shared', 'libs/testing', 'bench', 'test'] },
  {
    packages: /^(pg|pg-[a-z-]+|@nestjs\/microservices|prom-client|pino|pino-[a-z-]+|amqplib)(\/|$)/,
    places: ['libs/platform', 'libs/testing', 'bench', 'test'],
  },
];

const constructors = new Set(['act', 'reach', 'wait', 'settle', 'stall']);
const isSpec = /\.spec\.ts$|^test\//;
/** Jest runs these before it maps our packages' names to their sources. */
const isJestSetup = /\/jest\.[a-z]+\.ts$/;
/** Handlers are Nest's: `@EventPattern` in `*.events.ts`. */
const isHandler = (file, source) => file.endsWith('.events.ts') && source === '@nestjs/microservices';
const isDemo = /^apps\/homeostat\/src\/demo\//;

/** The package a file belongs to: `libs/shared`, `apps/deploy-svc`, `bench`, `test`; undefined for anything else. */
const placeOf = (file) => /^(?:(?:libs|apps)\/[^/]+|bench|test)(?=\/)/.exec(file)?.[0];

/** Why `file` may not import `source` (paths relative to the root, with forward slashes); null where it may. */
function forbidden(file, source) {
  const place = placeOf(file);
  if (!place) return null;
  if (source.startsWith('.')) return isJestSetup.test(file) ? null : leavesItsPlace(file, source, place);
  const ours = /^@homeostat\/([^/]+)(\/.+)?$/.exec(source);
  if (ours) return ours[2] ? 'import our packages by their name alone' : outOfOrder(file, place, ours[1]);
  return foreign(file, source, place);
}

function leavesItsPlace(file, source, place) {
  const target = placeOf(
    relative('/', resolve('/', dirname(file), source))
      .split(sep)
      .join('/'),
  );
  return target && target !== place ? `${target} is another package: import it by its name` : null;
}

function outOfOrder(file, place, name) {
  const allowed = place in layers ? layers[place] : layers['apps/*'];
  if (allowed === null || allowed.includes(name.replace(/^.+(?=-svc$)/, '*'))) return null;
  if (name === 'testing') return isSpec.test(file) || isDemo.test(file) ? null : 'only specs import @homeostat/testing';
  return `${place} may not import @homeostat/${name}`;
}

function foreign(file, source, place) {
  if (/^(node:)?process$/.test(source)) return 'settings come from libs/platform/src/settings.ts';
  if (isSpec.test(file) || isHandler(file, source)) return null;
  if (place === 'libs/reconcile') return 'the engine imports nothing';
  const keeper = keepers.find(({ packages }) => packages.test(source));
  return keeper && !keeper.places.includes(place) ? `${source} is known to ${keeper.places.join(', ')} only` : null;
}

const importFence = {
  meta: { type: 'problem', schema: [], messages: { fence: '{{ why }}' } },
  create(context) {
    const file = relative(context.cwd, context.filename).split(sep).join('/');
    const check = (node) => {
      const why = typeof node?.value === 'string' ? forbidden(file, node.value) : null;
      if (why) context.report({ node, messageId: 'fence', data: { why } });
    };
    return {
      ImportDeclaration: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
      TSImportType: (node) => check(node.source),
      TSExternalModuleReference: (node) => check(node.expression),
      'CallExpression[callee.name="require"]': (node) => check(node.arguments[0]),
    };
  },
};

/** In a pure file: types from anywhere, values only from other pure files and the engine's constructors. */
const pureImports = {
  meta: {
    type: 'problem',
    schema: [{ type: 'array', items: { type: 'string' } }],
    messages: { impure: 'a decision imports types, other decisions and act/reach/wait/settle/stall; not {{ what }}' },
  },
  create(context) {
    const [siblings = []] = context.options;
    const isPure = (source) =>
      /^\.{1,2}\//.test(source) && (/\.decide$/.test(source) || siblings.some((s) => source.endsWith(`/${s}`)));
    const isType = (node, one) => node.importKind === 'type' || one.importKind === 'type';
    const report = (node, what) => context.report({ node, messageId: 'impure', data: { what } });
    return {
      ImportDeclaration(node) {
        const source = node.source.value;
        if (isPure(source)) return;
        if (node.specifiers.length === 0) report(node, source);
        for (const one of node.specifiers.filter((specifier) => !isType(node, specifier))) {
          const ours = source === '@homeostat/reconcile' && constructors.has(one.imported?.name);
          if (!ours) report(one, `${one.local.name} of ${source}`);
        }
      },
      'ExportNamedDeclaration[source][exportKind!="type"]': (node) =>
        isPure(node.source.value) || report(node, node.source.value),
      'ExportAllDeclaration[exportKind!="type"]': (node) =>
        isPure(node.source.value) || report(node, node.source.value),
      'ImportExpression, TSExternalModuleReference': (node) => report(node, 'a module at run time'),
    };
  },
};

/** The house's own rules: who may import what (docs/style.md; proved by test/architecture/fences.spec.ts). */
export const fences = { rules: { imports: importFence, 'pure-imports': pureImports } };
