import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { fixture } from '../scenarios/support.js'

// In a process of its own: what a test runner keeps may be so much that the heap is left alone.
it('gives back the young generation and what only garbage holds', () => {
  const { stdout, stderr } = spawnSync(process.execPath, [fixture('shrink-heap.mjs')], { encoding: 'utf8' })
  expect(stderr).toBe('')
  const { before, after, collected } = JSON.parse(stdout) as { before: number; after: number; collected: string[] }
  expect(before).toBeGreaterThan(4 << 20)
  expect(after).toBeLessThan(before / 2)
  expect(collected).toEqual(['buffer'])
})
