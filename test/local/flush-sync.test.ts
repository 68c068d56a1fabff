import { expect, it } from 'vitest'
import { openLog } from '../scenarios/support.js'

it('flushSync blocks until what was handed over is published, also what waits for room', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10 })
  const topic = log.topic('t')
  const acks = Array.from({ length: 300 }, (_, index) => topic.append(new Uint8Array(index % 2 === 0 ? 2_000 : 40_000)))
  log.flushSync()
  expect((await topic.bounds()).next).toBe(300)
  expect(await Promise.all(acks)).toEqual(acks.map((_, index) => index))
})
