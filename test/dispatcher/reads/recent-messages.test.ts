import { describe, expect, it } from 'vitest'
import { RecentMessages } from '../../../src/dispatcher/reads/recent-messages.js'
import { ChunkCursor } from '../../../src/messages/chunk-cursor.js'
import { BatchTimes } from '../../../src/ring/batch-times.js'
import { collect, openLog, seeded, until } from '../../scenarios/support.js'
import { Engine } from '../../support/engine.js'
import { simulatedWorld } from '../../support/worlds.js'

describe('times of batches in the ring', () => {
  it('are those that were noted at or before a position, however often the notes go round', () => {
    const times = new BatchTimes(BatchTimes.allocate())
    let position = -5_000
    for (let time = 1; time <= 3_000; time++) {
      times.note(position, time)
      times.note(position + 8, time)
      expect(times.timeOf(position)).toBe(time)
      expect(times.timeOf(position + 12)).toBe(time)
      if (time > 500) expect(times.timeOf(position - 16 * 400)).toBe(time - 400)
      position += 16
    }
    expect(times.timeOf(position - 16 * 2_000)).toBeUndefined()
  })

  it('are told from those of frames gigabytes ago, while the clock stands still', () => {
    const times = new BatchTimes(BatchTimes.allocate())
    times.note(100, 5)
    times.note(2 ** 31 + 200, 6)
    expect(times.timeOf(150)).toBe(5)
    expect(times.timeOf(2 ** 31 + 208)).toBe(6)
    expect(times.timeOf(2 ** 32 + 2 ** 31 + 208)).toBe(6)
    expect(times.timeOf(2 ** 31 + 150)).toBe(5)
    expect(times.timeOf(50)).toBeUndefined()
  })
})

describe('messages in the ring', () => {
  const start = () => {
    const engine = new Engine(simulatedWorld(), { ringBytes: 64 << 10 })
    engine.offer([
      { declare: 'a', topic: 0 },
      { declare: 'b', topic: 1 },
    ])
    engine.writer.doWork()
    const recent = new RecentMessages(engine.producer, engine.times, () => engine.lane.ringHead.load())
    recent.watch(0)
    const append = (topic: number, bytes: number, fill: number) => {
      expect(engine.append(topic, new Uint8Array(bytes).fill(fill))).toBeGreaterThanOrEqual(0)
      engine.writer.doWork()
    }
    return { engine, recent, append }
  }
  const offsetsIn = (chunk: { bytes: Uint8Array; next: number } | undefined, from: number) => {
    if (chunk === undefined) throw new Error('nothing of it is in the ring')
    const { bytes, next } = chunk
    const cursor = new ChunkCursor(bytes, 0, from, next)
    const found: [number, number, number][] = []
    while (cursor.next()) found.push([cursor.offset, bytes[cursor.frame + 16], cursor.timestamp])
    return found
  }

  it('are found from the moment somebody waits for them, published ones only', () => {
    const { engine, recent, append } = start()
    append(0, 100, 1)
    append(1, 100, 9)
    append(0, 100, 2)
    engine.append(0, new Uint8Array(100).fill(3))
    const chunk = recent.chunk(0, 0, 10)
    expect(chunk?.next).toBeGreaterThan(0)
    expect(chunk?.next).toBeLessThanOrEqual(2)
    const time = engine.state.publishedTime.load()
    const found = offsetsIn(chunk, 0)
    expect(found[0].slice(0, 2)).toEqual([0, 1])
    for (const [, , stamp] of found) expect(stamp).toBeLessThanOrEqual(time)
    expect(recent.chunk(0, 2, 10)).toBeUndefined()
    expect(recent.chunk(1, 0, 10)).toBeUndefined()
    expect(recent.chunk(0, 0, 1)?.next).toBe(1)
  })

  it('are not found any more once the ring has gone round', () => {
    const { recent, append } = start()
    for (let number = 0; number < 200; number++) {
      append(0, 1_000, number)
      const chunk = recent.chunk(0, number, number + 1)
      expect(offsetsIn(chunk, number)[0].slice(0, 2)).toEqual([number, number & 0xff])
      if (number >= 70) expect(recent.chunk(0, number - 70, number)).toBeUndefined()
      if (number >= 40) expect(recent.chunk(0, number - 40, number)?.next).toBeGreaterThan(number - 40)
    }
  })

  it('are not found if nobody asked while the ring went round', () => {
    const { recent, append } = start()
    for (let number = 0; number < 300; number++) append(0, 1_000, number)
    expect(recent.chunk(0, 250, 300)).toBeUndefined()
    append(0, 1_000, 44)
    expect(recent.chunk(0, 300, 301)?.next).toBe(301)
  })

  /** Lets bytes pass through the ring that hold no message. */
  const pass = (engine: Engine, bytes: number) => {
    const { producer, consumer } = engine
    const step = producer.memory.capacity / 4
    for (let passed = 0; passed < bytes; passed += step) {
      if (producer.place(step) < 0) throw new Error('an empty ring takes a quarter of itself')
      producer.advance(step)
      engine.publish()
      consumer.releaseTo(producer.tail)
    }
  }

  it.each([2 ** 31 + 2 ** 20, 2 ** 32 - 2 ** 15, 2 ** 32 + 2 ** 15])(
    'are not found if nobody asked while %d bytes passed through the ring',
    (bytes) => {
      const { engine, recent, append } = start()
      for (let number = 0; number < 20; number++) append(0, 100, number)
      expect(recent.chunk(0, 0, 20)?.next).toBeGreaterThan(0)
      pass(engine, bytes)
      for (let number = 0; number < 20; number++) expect(recent.chunk(0, number, 20)).toBeUndefined()
      append(0, 100, 20)
      expect(offsetsIn(recent.chunk(0, 20, 21), 20)[0].slice(0, 2)).toEqual([20, 20])
    },
  )

  it('are looked for no longer once they were overwritten before anybody asked for them', () => {
    const { recent, append } = start()
    recent.watch(1)
    append(1, 100, 1)
    for (let number = 0; number < 200; number++) {
      append(0, 1_000, number)
      expect(recent.chunk(0, number, number + 1)?.next).toBe(number + 1)
    }
    // What comes now shows that nobody has asked for the one before.
    append(1, 100, 2)
    append(0, 100, 200)
    expect(recent.chunk(0, 200, 201)?.next).toBe(201)
    append(1, 100, 3)
    expect(recent.chunk(1, 2, 3)).toBeUndefined()
    recent.watch(1)
    append(1, 100, 4)
    expect(recent.chunk(1, 3, 4)?.next).toBe(4)
  })

  it('leave a gap where a message went past the ring', () => {
    const { engine, recent, append } = start()
    append(0, 100, 1)
    engine.appendBulk(0, [new Uint8Array(100_000).fill(7)])
    engine.writer.doWork()
    append(0, 100, 3)
    expect(recent.chunk(0, 0, 3)).toBeUndefined()
    expect(recent.chunk(0, 1, 3)).toBeUndefined()
    expect(offsetsIn(recent.chunk(0, 2, 3), 2)[0].slice(0, 2)).toEqual([2, 3])
  })
})

describe('a stream at the end of a topic', () => {
  it('reads the same as one from the log, by whatever way the messages came', async () => {
    const log = await openLog(undefined, { ringBytes: 64 << 10 })
    const topic = log.topic('t')
    const random = seeded(11)
    const count = 3_000
    const followed = collect(topic.read({ follow: true, to: count }))
    let appended = 0
    while (appended < count) {
      const bytes = random() < 0.02 ? 20_000 + random() * 60_000 : random() * 300
      const value = new Uint8Array(bytes).fill(appended)
      const extras = random() < 0.3 ? { key: `k${appended}`, headers: { n: `${appended}` } } : undefined
      if (random() < 0.05) {
        const group = [value, value, value].slice(0, Math.min(3, count - appended))
        await topic.appendMany(group, extras)
        appended += group.length
      } else {
        const done = topic.append(value, extras)
        appended += 1
        if (random() < 0.2) await done
      }
      if (random() < 0.05) log.topic('other').offer(new Uint8Array(random() * 500))
    }
    const plain = (messages: readonly unknown[]) => messages.map((message) => JSON.stringify(message))
    const fromLog = await collect(topic.read({ to: count }))
    expect(plain(await followed)).toEqual(plain(fromLog))
  })

  it('needs no reader thread for what it waits for', async () => {
    const log = await openLog()
    const topic = log.topic('t')
    await topic.append(new Uint8Array(1))
    const stream = topic.read({ from: 'next', follow: true })
    let waiting = stream.next()
    await until('the stream waits', () => log.stats().readers.tasks === 0)
    await topic.append(new Uint8Array(1))
    await waiting
    const { tasks } = log.stats().readers
    for (let number = 0; number < 100; number++) {
      waiting = stream.next()
      await topic.append(new Uint8Array([number]))
      expect((await waiting).value?.value).toEqual(new Uint8Array([number]))
    }
    expect(log.stats().readers.tasks).toBe(tasks)
  })
})
