import { expect, it } from 'vitest'
import { collect, openLog } from '../../scenarios/support.js'

it('a full ring refuses offers, ready tells when it is worth trying again, and nothing is lost or doubled', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10 })
  const topic = log.topic('t')
  let refused = 0
  const total = 20_000
  for (let number = 0; number < total; ) {
    const value = new Uint8Array(16 + (number % 500))
    new DataView(value.buffer).setUint32(0, number)
    if (topic.offer(value)) {
      number += 1
    } else {
      refused += 1
      await topic.ready()
      expect(topic.offer(value)).toBe(true)
      number += 1
    }
  }
  expect(refused).toBeGreaterThan(10)
  await log.flush()
  let number = 0
  for await (const batch of topic.read().batches()) {
    for (const { offset, value } of batch) {
      expect(offset).toBe(number)
      expect(new DataView(value.buffer, value.byteOffset).getUint32(0)).toBe(number)
      number += 1
    }
  }
  expect(number).toBe(total)
})

it('appends beyond the ring wait in order, and stats show them', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10 })
  const topic = log.topic('t')
  const settled: number[] = []
  const appends = Array.from({ length: 500 }, () =>
    topic.append(new Uint8Array(1_000)).then((offset) => {
      settled.push(offset)
    }),
  )
  expect(log.stats().ring.waiting).toBeGreaterThan(300)
  // The writer may have published some while they were being handed over.
  expect(log.stats().ring.pending).toBeGreaterThan(300)
  // While others wait, an offer does not overtake them.
  expect(topic.offer(new Uint8Array(1))).toBe(false)
  await Promise.all(appends)
  expect(settled).toEqual(settled.map((_, index) => index))
  expect(log.stats().ring).toMatchObject({ waiting: 0, pending: 0 })
})

it('ready resolves at once where there is room', async () => {
  const log = await openLog()
  await log.topic('t').ready()
})

it('offers of messages larger than the ring are held back too', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10, segmentBytes: 8 << 20, maxMessageBytes: 4 << 20 })
  const topic = log.topic('t')
  let taken = 0
  let refused = 0
  while (taken < 40) {
    if (topic.offer(new Uint8Array(4 << 20).fill(taken))) {
      taken += 1
    } else {
      refused += 1
      await topic.ready()
    }
  }
  expect(refused).toBeGreaterThan(0)
  await log.flush()
  const seen = (await collect(topic.read())).map(({ value }) => value[value.length - 1])
  expect(seen).toEqual(Array.from({ length: 40 }, (_, index) => index))
})
