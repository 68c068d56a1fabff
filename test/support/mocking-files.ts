/** Files of tests that put modules of their own in the place of others (`vi.mock`). */
export const mockingFiles = [
  'test/memory/copy-range.test.ts',
  'test/storage/life/crash.test.ts',
  'test/threads/reaper/group-crash.test.ts',
]
