import { expect, it } from 'vitest'
import { openLog } from '../scenarios/support.js'

it('stats show the appends that wait because the ring is full, until they are through', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10 })
  const topic = log.topic('t')
  const appends = Array.from({ length: 500 }, () => topic.append(new Uint8Array(1_000)))
  expect(log.stats().ring.waiting).toBeGreaterThan(300)
  // The writer may have published some while they were being handed over.
  expect(log.stats().ring.pending).toBeGreaterThan(300)
  await Promise.all(appends)
  expect(log.stats().ring).toMatchObject({ waiting: 0, pending: 0 })
})
