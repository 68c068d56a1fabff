import type { Message } from 'bookend'
import { expect, it } from 'vitest'
import { onEveryEngine } from './fixture.js'

const bytesEach = 100

onEveryEngine(({ open }) => {
  it('readers that are slower than the log let the event loop turn, whichever way they read', async () => {
    const topic = (await open()).topic('t')
    for (let round = 0; round < 20; round++) {
      await topic.appendMany(Array.from({ length: 2_500 }, () => new Uint8Array(bytesEach)))
    }
    for (const way of ['read', 'batches'] as const) {
      let isReading = true
      let inTurn = 0
      let most = 0
      const turn = () => {
        inTurn = 0
        if (isReading) setImmediate(turn)
      }
      setImmediate(turn)
      let checksum = 0
      let count = 0
      const visit = ({ value }: Message) => {
        count += 1
        inTurn += 1
        most = Math.max(most, inTurn)
        // Work enough that the next chunk is always there before this one is done.
        for (let step = 0; step < 2_000; step++) checksum = (checksum * 31 + value[step % bytesEach]) | 0
      }
      if (way === 'read') for await (const message of topic.read()) visit(message)
      else for await (const batch of topic.read().batches()) batch.forEach(visit)
      isReading = false
      expect(checksum).toBe(0)
      expect(count).toBe(50_000)
      // Half a MiB in one turn, and what was begun in it: of some 6 MB.
      expect(most * bytesEach, way).toBeLessThan(2 ** 20)
    }
  })
})
