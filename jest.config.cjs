// Packages that ship ES modules only; Jest cannot require() them on Node 20, so swc turns them into CommonJS.
const esmOnly = [
  'execa',
  'jose',
  'bs58',
  'base-x',
  'uuid',
  'unicorn-magic',
  'get-stream',
  'is-stream',
  'npm-run-path',
  'path-key',
  'strip-final-newline',
  'human-signals',
  'pretty-ms',
  'parse-ms',
  'is-plain-obj',
  'is-unicode-supported',
  'figures',
  'yoctocolors',
  '@sindresorhus/merge-streams',
  '@sec-ant/readable-stream',
  'multiformats',
  'hyparquet',
  'hyparquet-compressors',
  'hysnappy',
  'fzstd',
  // Has import(), which Jest does not run either.
  '@opentelemetry/otlp-exporter-base',
];
const swc = [
  '@swc/jest',
  {
    jsc: {
      target: 'es2023',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
    },
    module: { type: 'commonjs' },
    sourceMaps: 'inline',
  },
];
const workspace = '<rootDir>';

/** One Jest project per kind of spec: unit specs need nothing, integration specs need PostgreSQL. */
const project = (displayName, more) => ({
  displayName,
  rootDir: __dirname,
  testEnvironment: 'node',
  transform: { '\\.(ts|js|mjs)$': swc },
  transformIgnorePatterns: [`/node_modules/(?!(${esmOnly.join('|')})/)`, '\\.json$'],
  moduleNameMapper: {
    '^@homeostat/(.+-svc|homeostat)$': `${workspace}/apps/$1/src/index.ts`,
    // Their exports name nothing that Jest's resolver on Node 20 would take.
    '^unicorn-magic$': `${workspace}/node_modules/unicorn-magic/node.js`,
    '^multiformats/(.+)$': `${workspace}/node_modules/multiformats/dist/src/$1.js`,
    '^@homeostat/(shared|reconcile|platform|testing)$': `${workspace}/libs/$1/src/index.ts`,
  },
  modulePathIgnorePatterns: ['/dist/'],
  ...more,
});

module.exports = {
  maxWorkers: 2,
  testTimeout: 30_000,
  projects: [
    project('unit', {
      testMatch: ['<rootDir>/{apps,libs,bench}/**/*.spec.ts', '<rootDir>/test/architecture/**/*.spec.ts'],
      testPathIgnorePatterns: ['\\.int\\.spec\\.ts$', '/node_modules/', '/dist/'],
    }),
    project('int', {
      testMatch: ['<rootDir>/{apps,libs}/**/*.int.spec.ts', '<rootDir>/test/{story,security}/**/*.spec.ts'],
      globalSetup: '<rootDir>/libs/testing/src/jest.setup.ts',
      globalTeardown: '<rootDir>/libs/testing/src/jest.teardown.ts',
    }),
  ],
};
