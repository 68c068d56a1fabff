import { expect, it } from 'vitest'
import { collect } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ open, shared }) => {
  it('where there is no room offers are refused, ready tells when it is worth trying again, and nothing is lost or doubled', async () => {
    const log = await open({ ringBytes: 64 << 10 })
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

  it('appends beyond the room wait in order, and no offer overtakes them', async () => {
    const log = await open({ ringBytes: 64 << 10 })
    const topic = log.topic('t')
    const settled: number[] = []
    const appends = Array.from({ length: 500 }, () =>
      topic.append(new Uint8Array(1_000)).then((offset) => {
        settled.push(offset)
      }),
    )
    expect(topic.offer(new Uint8Array(1))).toBe(false)
    await Promise.all(appends)
    expect(settled).toEqual(Array.from({ length: 500 }, (_, index) => index))
  })

  it('ready resolves at once where there is room', async () => {
    const { log, name } = await shared()
    await log.topic(name).ready()
  })

  it('offers of messages larger than the room are held back too', async () => {
    const log = await open({ ringBytes: 64 << 10, maxMessageBytes: 1 << 20 })
    const topic = log.topic('t')
    let taken = 0
    let refused = 0
    while (taken < 40) {
      if (topic.offer(new Uint8Array(1 << 20).fill(taken))) {
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
})
