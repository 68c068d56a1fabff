import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['node_modules/**', 'dist/**', 'bench/**'],
    // A process per file: one that dies of a signal is one error, and the other files still report.
    pool: 'forks',
    // One more than the smallest machine has cores: a quarter of what files take is waiting for the clocks of a log. Every log under test brings
    // threads of its own, so many more would only hinder each other.
    maxWorkers: 3,
    // A limit for hangs, not for speed: a machine that has other work to do takes many times as long.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 10_000,
    expect: { poll: { timeout: 120_000 } },
    reporters: ['default'],
  },
})
