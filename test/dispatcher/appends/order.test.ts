import { expect, it } from 'vitest'
import { isPayload, payload } from '../../fixtures/payload.mjs'
import { collect, openLog, seeded, temporaryFolder } from '../../scenarios/support.js'

/** Lengths on both sides of everything that has a border: alignment, batch, ring share, ring. */
const edges = [
  0, 1, 7, 8, 9, 100, 4_095, 16_367, 16_368, 16_369, 16_384, 65_487, 65_488, 65_536, 70_000, 131_073, 300_000,
]

for (const io of ['mmap', 'file'] as const) {
  it(`messages keep the order of the calls, whatever their sizes and the ways they are appended (io ${io})`, async () => {
    const directory = temporaryFolder()
    const options = { io, ringBytes: 64 << 10, maxMessageBytes: 400_000 }
    let log = await openLog(directory, options)
    const topic = log.topic('t')
    const random = seeded(11)
    const sent: number[] = []
    const acks: Promise<unknown>[] = []
    const bytesOf = (index: number) => new Uint8Array(sent[index]).fill(index % 251)
    const take = () => {
      const index = sent.length
      sent.push(random() < 0.3 ? edges[Math.floor(random() * edges.length)] : Math.floor(random() * 900))
      return bytesOf(index)
    }
    for (let step = 0; step < 900; step++) {
      const first = sent.length
      const way = Math.floor(random() * 3)
      if (way === 0) {
        acks.push(topic.append(take()).then((offset) => expect(offset).toBe(first)))
      } else if (way === 1) {
        const value = take()
        // Refused: nothing was taken, so it can be tried again or sent by another way.
        if (!topic.offer(value)) acks.push(topic.append(value).then((offset) => expect(offset).toBe(first)))
      } else {
        const values: Uint8Array[] = []
        for (let bytes = 0, count = 1 + Math.floor(random() * 20); values.length < count && bytes < 400_000; ) {
          values.push(take())
          bytes += values.at(-1)?.length ?? 0
        }
        const count = values.length
        acks.push(topic.appendMany(values).then((range) => expect(range).toEqual({ first, count })))
      }
      if (random() < 0.05) await Promise.all(acks)
    }
    await Promise.all(acks)
    await log.flush()
    for (const isReopened of [false, true]) {
      if (isReopened) {
        await log.close()
        log = await openLog(directory, options)
      }
      const read = log.topic('t').read()
      let index = 0
      for await (const { offset, value } of read) {
        expect(offset).toBe(index)
        if (Buffer.compare(value, bytesOf(index)) !== 0) expect.fail(`message ${index} has other bytes`)
        index += 1
      }
      expect(index).toBe(sent.length)
    }
    expect(log.stats().segments.total).toBeGreaterThan(8)
  })
}

it('appends of many topics from one thread keep their order in each topic', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10 })
  const topics = Array.from({ length: 20 }, (_, index) => log.topic(`t${index}`))
  const counts = new Array<number>(20).fill(0)
  const random = seeded(3)
  const acks: Promise<unknown>[] = []
  for (let step = 0; step < 6_000; step++) {
    const which = Math.floor(random() * 20)
    const number = counts[which]++
    const value = payload(number)
    if (random() < 0.5 && topics[which].offer(value)) continue
    acks.push(topics[which].append(value).then((offset) => expect(offset).toBe(number)))
  }
  await Promise.all(acks)
  await log.flush()
  for (const [which, topic] of topics.entries()) {
    const messages = await collect(topic.read())
    expect(messages.length).toBe(counts[which])
    for (const { offset, value } of messages) expect(isPayload(offset, value)).toBe(true)
  }
})

it('flush waits for everything handed over before it, offers included', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10 })
  const topic = log.topic('t')
  let taken = 0
  for (let round = 0; round < 30; round++) {
    while (topic.offer(new Uint8Array(3_000))) taken += 1
    void topic.append(new Uint8Array(30_000))
    taken += 1
    await log.flush()
    expect((await topic.bounds()).next).toBe(taken)
    await topic.ready()
  }
})

it('flushSync blocks until what was handed over is published, also what waits for room', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10 })
  const topic = log.topic('t')
  const acks = Array.from({ length: 300 }, (_, index) => topic.append(new Uint8Array(index % 2 === 0 ? 2_000 : 40_000)))
  log.flushSync()
  expect((await topic.bounds()).next).toBe(300)
  expect(await Promise.all(acks)).toEqual(acks.map((_, index) => index))
})
