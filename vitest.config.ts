import { defineConfig } from 'vitest/config'
import { mockingFiles } from './test/support/mocking-files.js'

/** These open and end processes, or measure: each has a process of its own, and one that dies of a signal is one error, while the other files still report. */
const folders = ['scenarios', 'packaging', 'snippets', 'bench']
const apart = [...folders.map((folder) => `test/${folder}/**/*.test.ts`), ...mockingFiles]

export default defineConfig({
  test: {
    projects: [
      // What the others change nobody else sees: many of them share a process, which loads what they are about once.
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
