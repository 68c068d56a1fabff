/** Whoever reads asks for a record and is handed a chunk: what happens where the record is not in it, whatever the reason. */
import { describe, expect, it } from 'vitest'
import type { Engine, EngineTopic } from '../../src/engine/engine.js'
import { GroupFeed } from '../../src/log/group-feed.js'
import { ChunkedStream } from '../../src/log/message-stream.js'
import { codedFailureOf } from '../scenarios/support.js'
import { chunkOf } from '../support/chunks.js'

const topic: EngineTopic = { name: 't', id: 3 }

/** An engine of ten messages whose chunks hold the first five, and say that they hold all; and which record a lookup finds. */
function lyingEngine(found: (offset: number) => number = (offset) => offset): Engine {
  const engine: Partial<Engine> = {
    checkOpen() {},
    first: () => 0,
    next: () => 10,
    chunk: async (_, offset) => ({
      bytes: chunkOf(3, [[0, 1], [2, 3, 4].filter((each) => each >= offset)]),
      next: 10,
      resume: undefined,
    }),
    record: async (_, offset) => {
      const bytes = chunkOf(3, [[found(offset)]])
      return { bytes, length: bytes.length }
    },
  }
  return engine as Engine
}

function streamOf(engine: Engine, from: number) {
  const range = { start: async () => from, to: undefined, follow: false, signal: undefined }
  return new ChunkedStream(engine, topic, undefined, range)
}

describe('a stream', () => {
  it('delivers what is there, says what is missing, and ends', async () => {
    const stream = streamOf(lyingEngine(), 0)
    const offsets: (number | undefined)[] = []
    for (let count = 0; count < 5; count++) offsets.push((await stream.next()).value?.offset)
    expect(offsets).toEqual([0, 1, 2, 3, 4])
    const error = await codedFailureOf(() => stream.next())
    expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', topic: 't', offset: 5, next: 10 })
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  it('says so at its first message too', async () => {
    const error = await codedFailureOf(() => streamOf(lyingEngine(), 7).next())
    expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', topic: 't', offset: 7, next: 10 })
  })

  it('of batches does the same', async () => {
    const batches = streamOf(lyingEngine(), 1).batches()
    expect((await batches.next()).value?.map(({ offset }: { offset: number }) => offset)).toEqual([1, 2, 3, 4])
    expect(await codedFailureOf(() => batches.next())).toMatchObject({ code: 'BOOKEND_CORRUPT', topic: 't', offset: 5 })
  })
})

describe("a group's feed", () => {
  const offsetOf = ({ offset }: { offset: number }) => offset

  it('looks up what its chunk does not hold', async () => {
    const feed = new GroupFeed(lyingEngine(), topic)
    for (let offset = 0; offset < 10; offset++) expect(await feed.message(offset, offsetOf)).toBe(offset)
  })

  it('takes no other message for the one it looks up, nor for one that was trimmed away', async () => {
    const feed = new GroupFeed(
      lyingEngine((offset) => offset - 1),
      topic,
    )
    expect(await feed.message(4, offsetOf)).toBe(4)
    const error = await codedFailureOf(async () => feed.message(5, offsetOf))
    expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 5 })
  })
})
