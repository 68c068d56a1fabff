import { expect, it } from 'vitest'
import { report, temporaryFolder } from './support.js'

it('chunks that were read go with the young garbage, however much is read', async () => {
  // With the smallest young generation, what is left in old places is plain to see.
  const { read, external } = await report<{ read: number; external: number }>(
    'read-garbage.mjs',
    [temporaryFolder()],
    ['--max-semi-space-size=1'],
  )
  expect(read).toBeGreaterThan(256 << 20)
  // V8's own bound is 64 MiB: chunks that only a full collection frees come up to it long before the end.
  expect(external).toBeLessThan(40 << 20)
})
