import { createRequire } from 'node:module'
import { expect, it } from 'vitest'
import { loadMmapIo } from '../../src/memory/mmap-io-package.js'

it('the compiled part is found where the package itself finds it, and only there', () => {
  let fromPackage: { map: unknown } | undefined
  try {
    fromPackage = createRequire(import.meta.url)('mmap-io')
  } catch {
    // Not built for this Node.
  }
  expect(loadMmapIo()?.map).toBe(fromPackage?.map)
})
