import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { fences } from './eslint.fences.mjs';

/** Files beside the decisions that decisions may call, by base name; they are held to the same purity. */
const pureSiblings = [];
const pure = ['**/*.decide.ts', ...pureSiblings.map((name) => `apps/*/src/**/${name}.ts`)];
const specs = ['**/*.spec.ts', 'test/**/*.ts'];
const settings = ['libs/platform/src/settings.ts', 'libs/testing/src/jest.*.ts', ...specs];

const noDefaultExport = {
  selector: 'ExportDefaultDeclaration',
  message: 'Export by name: a name is found by a search and does not change at the import.',
};
const impureSyntax = [
  ['[async=true]', 'A decision does not wait: observe it instead.'],
  ['AwaitExpression, ForOfStatement[await=true]', 'A decision does not wait: observe it instead.'],
  ['ThrowStatement', 'A decision does not throw: stall, and say why.'],
  ['NewExpression[callee.name="Date"][arguments.length=0]', 'A decision is given the time.'],
  ['CallExpression[callee.name="Date"]', 'A decision is given the time.'],
  ['Program > VariableDeclaration[kind!="const"]', 'A decision remembers nothing.'],
].map(([selector, message]) => ({ selector, message }));
const impureGlobals = [
  ...['process', 'crypto', 'console', 'performance', 'fetch', 'globalThis', 'global', 'require', 'Worker', 'WebSocket'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
].map((name) => ({ name, message: 'A decision is a pure function: observe it instead.' }));

export default defineConfig(
  globalIgnores(['**/dist/', '**/coverage/', '.nx/', '.homeostat*/', 'bench/results/', 'test/fixtures/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{mjs,cjs}'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'process',
          'console',
          'module',
          'require',
          '__dirname',
          'setTimeout',
          'clearTimeout',
          'setInterval',
          'clearInterval',
          'performance',
          'fetch',
          'URL',
          'AbortController',
          'AbortSignal',
          'Buffer',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    plugins: { fences },
    languageOptions: { parserOptions: { project: './tsconfig.lint.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      'fences/imports': 'error',
      'no-restricted-syntax': ['error', noDefaultExport],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    ignores: settings,
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Settings are read in libs/platform/src/settings.ts alone.' },
      ],
    },
  },
  {
    files: ['{apps,libs,bench}/**/*.ts'],
    ignores: [...specs, 'libs/shared/src/migrations/**'],
    rules: {
      'max-lines': ['error', { max: 200, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-depth': ['error', 3],
    },
  },
  {
    files: pure,
    rules: {
      'fences/pure-imports': ['error', pureSiblings],
      'no-restricted-syntax': ['error', noDefaultExport, ...impureSyntax],
      'no-restricted-globals': ['error', ...impureGlobals],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'A decision is given the time.' },
        { object: 'Math', property: 'random', message: 'A decision leaves nothing to chance: observe it instead.' },
      ],
    },
  },
  { files: ['**/jest.*.ts'], rules: { 'no-restricted-syntax': 'off' } },
);
