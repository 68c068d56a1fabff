import { expect, it } from 'vitest'
import { isPayload, payload } from '../../fixtures/payload.mjs'
import { collect, seeded } from '../../scenarios/support.js'
import { appendInEveryWay, expectAll, mixedOptions } from '../../support/mixed-appends.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ open }) => {
  it('messages keep the order of the calls, whatever their sizes and the ways they are appended', async () => {
    const log = await open(mixedOptions)
    const topic = log.topic('t')
    const sent = await appendInEveryWay(topic, () => log.flush(), seeded(11))
    await expectAll(topic, sent)
  })

  it('appends of many topics from one thread keep their order in each topic', async () => {
    const log = await open({ ringBytes: 64 << 10 })
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
    const log = await open({ ringBytes: 64 << 10 })
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
})
