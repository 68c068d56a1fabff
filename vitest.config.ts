import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['node_modules/**', 'dist/**', 'bench/**'],
    // A process per file: one that dies of a signal is one error, and the other files still report.
    pool: 'forks',
    // Every log under test brings its own threads, so more files at a time would only measure each other.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    reporters: ['default'],
  },
})
