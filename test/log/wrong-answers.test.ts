/** An engine that answers another question than the one that was asked: the application never sees that answer. */
import { describe, expect, it, onTestFinished } from 'vitest'
import type { EngineTopic, MessageReader } from '../../src/engine/engine.js'
import type { EngineGroup } from '../../src/engine/group-seat.js'
import { EngineLog } from '../../src/log/log.js'
import { chunkOf, type LooseMessage } from '../../src/messages/chunk-builder.js'
import { ChunkCursor, type RecordPlace } from '../../src/messages/chunk-cursor.js'
import { failureOf } from '../scenarios/support.js'
import { MemoryEngine } from '../support/memory-engine/memory-engine.js'

const count = 10
const stored = (offset: number): LooseMessage => ({ offset, time: 1, value: Uint8Array.of(offset), extras: undefined })

function placeOf(offset: number): RecordPlace {
  const cursor = chunkOf([stored(offset)])
  cursor.next()
  return cursor
}

/** A chunk of these messages, said to be of that range. */
function chunk(offsets: readonly number[], from = offsets[0], to = offsets[0] + offsets.length): ChunkCursor {
  return new ChunkCursor(chunkOf(offsets.map(stored)).bytes, 0, from, to)
}

function readerOf(...chunks: ChunkCursor[]): MessageReader {
  return { next: async () => chunks.shift(), close() {} }
}

/** A topic of ten messages over an engine that is wrong in this one. */
async function wrong(answers: Partial<EngineTopic>, ofGroup: Partial<EngineGroup> = {}) {
  const engine = new MemoryEngine()
  const log = new EngineLog(engine)
  onTestFinished(() => log.close())
  const topic = log.topic('t')
  for (let offset = 0; offset < count; offset++) await topic.append(Uint8Array.of(offset))
  Object.assign(engine.topic('t').group('g'), ofGroup)
  Object.assign(engine.topic('t').group('queue'), ofGroup)
  Object.assign(engine.topic('t'), answers)
  return { topic, log }
}

const broken = (what: string) => expect.objectContaining({ message: `Bookend invariant broken: ${what}` })

describe('a lookup', () => {
  it('is not answered with another message', async () => {
    const { topic } = await wrong({ records: async () => [placeOf(4)] })
    expect(await failureOf(() => topic.get(3))).toEqual(broken('a lookup finds the message that was asked for'))
  })

  it('of many is answered for each of them, in their order', async () => {
    const few = await wrong({ records: async () => [placeOf(1)] })
    expect(await failureOf(() => few.topic.getMany([1, 2]))).toEqual(broken('a lookup answers for every offset'))
    const turned = await wrong({ records: async () => [placeOf(2), undefined, placeOf(1)] })
    const error = await failureOf(() => turned.topic.getMany([1, 5, 2]))
    expect(error).toEqual(broken('a lookup finds the message that was asked for'))
  })

  it('is of the offsets that were checked, whatever becomes of the array', async () => {
    const { topic } = await wrong({ records: async (offsets) => offsets.map(placeOf) })
    const offsets = [1, 2]
    const found = topic.getMany(offsets)
    offsets[0] = 7
    expect((await found).map((message) => message?.offset)).toEqual([1, 2])
  })
})

describe('a stream', () => {
  const begins = broken('a chunk begins with the message that was asked for')
  const ends = broken('a chunk holds messages of its range, and one at least')

  it.each([
    ['begins before the message that was asked for', [chunk([1, 2, 3])], begins],
    ['begins behind it', [chunk([3, 4])], begins],
    ['leaves messages out between two chunks', [chunk([2, 3]), chunk([5, 6])], begins],
    ['gives one twice', [chunk([2, 3]), chunk([3, 4])], begins],
    ['goes on behind the range', [chunk([2, 3, 4, 5])], ends],
    ['has nothing in it', [chunk([2], 2, 2)], ends],
  ])('that %s, fails there and ends', async (_, chunks, failure) => {
    const { topic } = await wrong({ read: () => readerOf(...chunks) })
    const stream = topic.read({ from: 2, to: 5 })
    const offsets: number[] = []
    const error = await failureOf(async () => {
      for await (const { offset } of { [Symbol.asyncIterator]: () => ({ next: () => stream.next() }) })
        offsets.push(offset)
    })
    expect(error).toEqual(failure)
    expect(offsets).toEqual([2, 3].slice(0, offsets.length))
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })
})

describe('a consumer', () => {
  /** A seat that gives away the message behind the one that is leased. */
  const wrongSeat: EngineGroup['subscribe'] = (make) => {
    const lease = { offset: 2, attempt: 1, acknowledge: async () => {}, giveBack() {}, extend() {} }
    return { isOpen: true, next: async () => make(placeOf(3), lease), close() {} }
  }
  const failure = broken('a consumer is given the message that its lease is for')

  it('is not given another message than the leased one', async () => {
    const { topic } = await wrong({}, { subscribe: wrongSeat })
    expect(await failureOf(() => topic.group('g').consume().next())).toEqual(failure)
  })

  it('of a queue neither', async () => {
    const { log } = await wrong({}, { subscribe: wrongSeat })
    expect(await failureOf(() => log.queue('t').pop())).toEqual(failure)
  })
})

describe('figures of a topic', () => {
  const order = broken('a topic begins before it ends')
  const integers = broken('offsets are integers from 0')

  it('that cannot be are not believed', async () => {
    const { topic } = await wrong({
      bounds: async () => ({ first: 11, next: 10 }),
      offsetAt: async () => -1,
      appendMany: async () => Number.NaN,
    })
    expect(await failureOf(() => topic.bounds())).toEqual(order)
    expect(await failureOf(() => topic.read({ from: 'next' }).next())).toEqual(order)
    expect(await failureOf(() => topic.group('g').seek('first'))).toEqual(order)
    expect(await failureOf(() => topic.offsetAt(0))).toEqual(integers)
    expect(await failureOf(() => topic.appendMany([Uint8Array.of(1)]))).toEqual(integers)
  })

  it('nor are those of a group', async () => {
    const { topic } = await wrong({}, { position: async () => ({ committed: 11, next: 10, lag: 0, skipped: 0 }) })
    const error = await failureOf(() => topic.group('g').position())
    expect(error).toEqual(broken('a group lags by messages that it has not seen'))
  })
})
