/** What an engine hands over is a chunk: what happens where the message that was asked for is not in it, whatever the reason. */
import { describe, expect, it } from 'vitest'
import { ChunkReader } from '../../src/dispatcher/reads/chunk-reader.js'
import type { EngineTopic } from '../../src/engine/engine.js'
import { ChunkedStream } from '../../src/log/message-stream.js'
import type { MessageBatch } from '../../src/messages/message-batch.js'
import { codedFailureOf } from '../scenarios/support.js'
import { lyingSource } from '../support/chunks.js'

const source = lyingSource()
const topic: Partial<EngineTopic> = {
  name: 't',
  bounds: async () => ({ first: source.first(), next: source.next() }),
  read: (range) => new ChunkReader(source, range),
}

function streamOf(from: number) {
  const range = { start: async () => from, to: undefined, follow: false, signal: undefined }
  return new ChunkedStream(topic as EngineTopic, undefined, range)
}

describe('a stream', () => {
  it('delivers what is there, says what is missing, and ends', async () => {
    const stream = streamOf(0)
    const offsets: (number | undefined)[] = []
    for (let count = 0; count < 5; count++) offsets.push((await stream.next()).value?.offset)
    expect(offsets).toEqual([0, 1, 2, 3, 4])
    const error = await codedFailureOf(() => stream.next())
    expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', topic: 't', offset: 5, next: 10 })
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  it('says so at its first message too', async () => {
    const error = await codedFailureOf(() => streamOf(7).next())
    expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', topic: 't', offset: 7, next: 10 })
  })

  it('of batches does the same', async () => {
    const batches = streamOf(1).batches()
    expect((await batches.next()).value?.map(({ offset }: { offset: number }) => offset)).toEqual([1, 2, 3, 4])
    expect(await codedFailureOf(() => batches.next())).toMatchObject({ code: 'BOOKEND_CORRUPT', topic: 't', offset: 5 })
  })

  it('of chunks says so to who comes to it, in either way', async () => {
    const chunk = (await streamOf(1).chunks().next()).value as MessageBatch
    const offsets: number[] = []
    const missing = { code: 'BOOKEND_CORRUPT', topic: 't', offset: 5, next: 10 }
    const visit = () =>
      chunk.forEach((_, __, ___, offset) => {
        offsets.push(offset)
      })
    expect(await codedFailureOf(visit)).toMatchObject(missing)
    const iterate = () => {
      for (const { offset } of chunk) offsets.push(offset)
    }
    expect(await codedFailureOf(iterate)).toMatchObject(missing)
    expect(offsets).toEqual([1, 2, 3, 4, 1, 2, 3, 4])
  })
})
