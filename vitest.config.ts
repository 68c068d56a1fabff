import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['node_modules/**', 'dist/**', 'bench/**'],
    // A process per file: one that dies of a signal is one error, and the other files still report.
    pool: 'forks',
    // Every log under test brings its own threads, so more files at a time would only measure each other.
    maxWorkers: 2,
    // A limit for hangs, not for speed: a machine that has other work to do takes many times as long.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 10_000,
    expect: { poll: { timeout: 120_000 } },
    reporters: ['default'],
  },
})
