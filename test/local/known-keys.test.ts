import { expect, it } from 'vitest'
import type { KeyedPart, KeyedRange } from '../../src/engine/engine.js'
import { KnownKeys } from '../../src/local/known-keys.js'
import type { RecordPlace } from '../../src/messages/chunk-cursor.js'
import { Seeded, seedsFrom } from '../support/seeded.js'

const utf8 = (text: string) => new TextEncoder().encode(text)
const placeAt = (offset: number) => ({ offset }) as RecordPlace

/** A topic in an array, searched a few messages at a time; and how many were looked at. */
function topicOf(perSearch: number) {
  const messages: string[] = []
  const topic = { messages, first: 0, looked: 0 }
  const known = new KnownKeys({
    first: () => topic.first,
    async search(key, { from, to }): Promise<KeyedPart> {
      const name = Buffer.from(key).toString()
      const start = Math.max(from, topic.first)
      for (let at = to - 1, left = perSearch; at >= start; at--, left--) {
        if (left === 0) return { records: [], from, to: at + 1 }
        topic.looked += 1
        if (messages[at] === name) return { records: [placeAt(at)], from, to: at }
      }
      return { records: [], from: to, to }
    },
    record: async (offset) => (offset >= topic.first ? placeAt(offset) : undefined),
  })
  const last = async (key: string, from = topic.first, to = messages.length): Promise<number | undefined> => {
    for (let range: KeyedRange = { from, to, max: 1, isReverse: true }; range.from < range.to; ) {
      const part = await known.last(utf8(key), range)
      if (part.records.length > 0) return part.records[0].offset
      range = { ...range, from: part.from, to: part.to }
    }
    return undefined
  }
  return { topic, last }
}

it('the last message of a key is that of a full look, whatever was asked before, appended and trimmed', async () => {
  for (const seed of seedsFrom(1, 40)) {
    const random = new Seeded(seed)
    const { topic, last } = topicOf(1 + random.below(30))
    for (let step = 0; step < 120; step++) {
      if (random.chance(0.5)) topic.messages.push(random.pick(['a', 'b', 'c', 'd']))
      if (random.chance(0.03)) topic.first += random.below(topic.messages.length - topic.first + 1)
      const end = topic.messages.length
      const from = random.chance(0.7) ? topic.first : topic.first + random.below(end - topic.first + 1)
      const to = random.chance(0.7) ? end : from + random.below(end - from + 1)
      const key = random.pick(['a', 'b', 'nobody'])
      const truth = topic.messages.slice(0, to).lastIndexOf(key)
      expect(await last(key, from, to), `seed ${seed}, step ${step}`).toBe(truth >= from ? truth : undefined)
    }
  }
})

it('what was looked through for a key is not looked through again, found or not', async () => {
  const { topic, last } = topicOf(1_000)
  for (let number = 0; number < 500; number++) topic.messages.push(`k${number}`)
  await last('k3')
  await last('nobody')
  const before = topic.looked
  topic.messages.push('other', 'k3')
  expect(await last('k3')).toBe(501)
  expect(await last('nobody')).toBeUndefined()
  expect(await last('nobody')).toBeUndefined()
  expect(topic.looked - before).toBe(3)
})
