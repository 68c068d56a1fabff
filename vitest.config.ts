import { defineConfig } from 'vitest/config'

/**
 * These have a process per file: one that dies of a signal is one error, and the other files still report. One patches the modules that it is about.
 * All others change nothing that others see, so many of them share a process, which loads what they are about once: a sixth of the time of all tests.
 */
const apart = ['scenarios/**/*', 'packaging/*', 'snippets/*', 'bench/*', 'threads/reaper/group-crash'].map(
  (name) => `test/${name}.test.ts`,
)

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'apart', include: apart } },
      { extends: true, test: { name: 'together', include: ['test/**/*.test.ts'], exclude: apart, isolate: false } },
    ],
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
