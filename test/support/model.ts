/** What a log should hold, as plain arrays, and the comparison with what it does hold. */
import assert from 'node:assert/strict'
import { BookendError } from '../../src/errors.js'
import { ChunkCursor, partsOf } from '../../src/messages/chunk-cursor.js'
import type { Recovered } from '../../src/storage/life/recovery.js'
import type { Resume } from '../../src/storage/read/chunk.js'
import type { TopicReader } from '../../src/storage/read/topic-reader.js'

export interface ModelTopic {
  id: number
  name: string
  first: number
  values: Uint8Array[]
}

export class Model {
  readonly topics: ModelTopic[] = []
  /** The topic of every record, in the order of appending; -1 - topic for those that are followed by more of their group. */
  order: number[] = []

  declare(name: string): ModelTopic {
    const topic = { id: this.topics.length, name, first: 0, values: [] }
    this.topics.push(topic)
    return topic
  }

  add(topic: number, value: Uint8Array, continues = false): void {
    this.topics[topic].values.push(value)
    this.order.push(continues ? -1 - topic : topic)
  }

  /** Records of each topic among the first `count` appended. */
  countsAfter(count: number): number[] {
    const counts = this.topics.map(() => 0)
    for (const topic of this.order.slice(0, count)) counts[topicOf(topic)] += 1
    return counts
  }

  /** True if no atomic group is cut in two behind the first `count` records. */
  isBoundary(count: number): boolean {
    return count === 0 || this.order[count - 1] >= 0
  }

  /** Forgets what a crash took: everything behind the first `count` records. */
  cutTo(count: number): void {
    const counts = this.countsAfter(count)
    this.order.length = count
    for (const topic of this.topics) topic.values.length = counts[topic.id]
    for (const topic of this.topics) topic.first = Math.min(topic.first, topic.values.length)
  }
}

function topicOf(entry: number): number {
  return entry < 0 ? -1 - entry : entry
}

export interface Found {
  offset: number
  value: Uint8Array
  timestamp: number
}

/** All records of one chunk. */
export function recordsOf(bytes: Uint8Array, topic: number, from: number, to: number): Found[] {
  const cursor = new ChunkCursor(bytes, topic, from, to)
  const found: Found[] = []
  while (cursor.next()) {
    const parts = partsOf(cursor.words, cursor.frame)
    const value = bytes.slice(parts.valueStart, parts.valueEnd)
    found.push({ offset: cursor.offset, value, timestamp: cursor.timestamp })
  }
  return found
}

export type Way = 'dense' | 'borrowed' | 'sparse'

/** Reads `[from, to)` to its end, in chunks. */
export function readAll(reader: TopicReader, topic: number, from: number, to: number, way: Way): Found[] {
  const found: Found[] = []
  let resume: Resume | undefined = way === 'sparse' ? { position: 0, isSparse: true } : undefined
  for (let offset = from; offset < to; ) {
    const request = { topic, offset, to, resume }
    const chunk = way === 'borrowed' ? reader.readBorrowed(request) : reader.read(request)
    assert(chunk.next > offset && chunk.next <= to, `a chunk from ${offset} to ${to} goes to ${chunk.next}`)
    found.push(...recordsOf(chunk.bytes, topic, offset, chunk.next))
    offset = chunk.next
    // Stays on the way asked for, whatever the reader finds better.
    resume = way === 'sparse' ? { ...chunk.resume, isSparse: true } : chunk.resume
  }
  return found
}

/** Every record of the range, once and in order, byte for byte. */
export function expectRecords(found: readonly Found[], topic: ModelTopic, from: number, to: number): void {
  assert.equal(found.length, to - from, `records of ${topic.name} from ${from} to ${to}`)
  for (const [index, { offset, value }] of found.entries()) {
    if (offset !== from + index) throw new Error(`${topic.name}/${offset} came in the place of ${from + index}`)
    if (Buffer.compare(value, topic.values[offset]) !== 0) throw new Error(`wrong bytes at ${topic.name}/${offset}`)
  }
  for (let index = 1; index < found.length; index++) {
    if (found[index].timestamp < found[index - 1].timestamp) throw new Error(`time goes back at ${topic.name}/${index}`)
  }
}

export interface Survived {
  /** Records recovered, over all topics. */
  count: number
}

/**
 * The promise of recovery: without damage on the device, what is found is a gap-free prefix of what was appended, in
 * whole groups, with at least the first `durable` records, and names and bounds of topics go with it.
 * @throws where it is broken
 */
export function expectPrefix(recovered: Recovered, model: Model, durable: number): Survived {
  assert.deepEqual(recovered.damages, [], 'damage was reported where there is none')
  const nexts = model.topics.map(({ id }) => recovered.topics.find((topic) => topic.id === id)?.next ?? 0)
  const count = nexts.reduce((sum, next) => sum + next, 0)
  if (count < durable) throw new Error(`${count} records recovered, ${durable} were acknowledged`)
  assert.deepEqual(nexts, model.countsAfter(count), 'what was found is no prefix')
  if (!model.isBoundary(count)) throw new Error(`a group is cut in two behind record ${count}`)
  for (const topic of recovered.topics) {
    assert.equal(topic.name, model.topics[topic.id].name)
    assert(topic.first <= topic.next, `topic ${topic.name} begins behind its end`)
  }
  return { count }
}

/** Every record in the bounds that recovery found is delivered, and is the right one. */
export function expectReadable(reader: TopicReader, recovered: Recovered, model: Model, way: Way = 'dense'): void {
  for (const { id, first, next } of recovered.topics) {
    expectRecords(readAll(reader, id, first, next, way), model.topics[id], first, next)
  }
}

export function caught(call: () => unknown): BookendError {
  try {
    call()
  } catch (error) {
    if (error instanceof BookendError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
