import { type Message, type MessageBatch, text } from 'bookend'
import { expect, it } from 'vitest'
import { collect } from '../../scenarios/support.js'
import { valuesOf, words } from '../../support/words.js'
import { onEveryEngine, onEveryReader } from './fixture.js'

/** Offsets and values as their bytes say them. */
function visited(chunks: readonly MessageBatch<unknown>[]): [number, string][] {
  const seen: [number, string][] = []
  for (const chunk of chunks) {
    const before = seen.length
    chunk.forEach((bytes, start, end, offset) => {
      seen.push([offset, Buffer.from(bytes.subarray(start, end)).toString()])
    })
    expect([seen.length - before, seen[before][0]]).toEqual([chunk.length, chunk.firstOffset])
  }
  return seen
}

onEveryReader(
  (log) => log.topic('t', { codec: text }).appendMany(words(10_000), { key: 'k' }),
  (reader) => {
    it('chunks hold every message of a range once, in order, as bytes and as messages', async () => {
      const topic = reader.log.topic('t', { codec: text })
      for (const [from, to] of [
        [0, 10_000],
        [3, 7],
        [9_999, 10_000],
        [5, 5],
        [4_321, 9_876],
      ]) {
        const chunks = await collect(topic.read({ from, to }).chunks())
        expect(visited(chunks)).toEqual(words(to - from, from).map((word, index) => [from + index, word]))
        const messages = chunks.flatMap((chunk) => [...chunk])
        expect(valuesOf(messages)).toEqual(words(to - from, from))
        expect(messages.every(({ topic, keyText }) => topic === 't' && keyText === 'k')).toBe(true)
      }
      expect(await collect(reader.log.topic('nothing').read().chunks())).toEqual([])
    })

    it('borrowed chunks hold the same until the next one is asked for, and their messages stay', async () => {
      const topic = reader.log.topic('t', { codec: text })
      for (const [from, to] of [
        [0, 10_000],
        [4_321, 9_876],
      ]) {
        const [seen, messages] = [[] as [number, string][], [] as Message<string>[]]
        for await (const chunk of topic.read({ from, to }).chunks({ borrowed: true })) {
          seen.push(...visited([chunk]))
          messages.push(...chunk)
        }
        expect(seen).toEqual(words(to - from, from).map((word, index) => [from + index, word]))
        expect(valuesOf(messages)).toEqual(words(to - from, from))
      }
      // @ts-expect-error
      expect(() => topic.read().chunks({ borrowed: 1 })).toThrow(TypeError)
      // @ts-expect-error
      expect(() => topic.read().chunks({ borowed: true })).toThrow(TypeError)
    })

    it('chunks go on where single messages and batches have ended', async () => {
      const stream = reader.log.topic('t', { codec: text }).read()
      expect((await stream.next()).value?.offset).toBe(0)
      expect((await stream.next()).value?.offset).toBe(1)
      const chunks = await collect(stream.chunks())
      expect(chunks[0].firstOffset).toBe(2)
      expect(visited(chunks).length).toBe(9_998)
      expect(await stream.next()).toEqual({ done: true, value: undefined })
    })
  },
)

onEveryEngine(({ shared }) => {
  it('chunks that are followed come as messages do, and what was kept of them stays as it was', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    const kept: MessageBatch<string>[] = []
    let next = 0
    await topic.append(`m${next++}`)
    for await (const chunk of topic.read({ follow: true }).chunks()) {
      kept.push(chunk)
      if (next === 300) break
      await topic.append(`m${next++}`)
    }
    expect(kept.length).toBe(300)
    expect(visited(kept).map(([, value]) => value)).toEqual(words(300))
  })

  it('a loop over chunks that ends early ends the stream', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    await topic.appendMany(words(100))
    const stream = topic.read()
    for await (const chunk of stream.chunks()) {
      expect(chunk.firstOffset).toBe(0)
      break
    }
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })
})
