// Lints the TypeScript of the Lab extension and of the planner's views; prettier owns the layout of the text.
import plugin from '@typescript-eslint/eslint-plugin';
import parser from '@typescript-eslint/parser';

export default [
  { ignores: ['**/lib/**', '**/node_modules/**', 'dist-lab/**', '.envs/**', '**/api-types.ts'] },
  ...plugin.configs['flat/recommended'],
  {
    files: ['extensions/lab/src/**/*.{ts,tsx}', 'extensions/planner/widgets/src/**/*.ts'],
    languageOptions: {
      parser,
      parserOptions: {
        project: ['./extensions/lab/tsconfig.json', './extensions/planner/widgets/tsconfig.json']
      }
    },
    rules: {
      eqeqeq: 'error',
      'no-console': ['error', { allow: ['warn', 'error'] }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error'
    }
  }
];
