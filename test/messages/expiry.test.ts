import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { writeDataFrame } from '../../src/format/frame-encoder.js'
import { frameHeaderBytes } from '../../src/format/frame-layout.js'
import { chunkBytesOf, chunkOf, type LooseMessage, onlyTopic } from '../../src/messages/chunk-builder.js'
import type { ChunkCursor } from '../../src/messages/chunk-cursor.js'
import { expiringHeaders, maxExpiresAt, unexpired } from '../../src/messages/expiry.js'
import { HeaderMatcher } from '../../src/messages/header-matcher.js'
import { ChunkRecords, denseBatch, type MessageBatch, sparseBatch } from '../../src/messages/message-batch.js'
import { SelectedRecords } from '../../src/messages/selected-records.js'

const utf8 = (text: string) => new TextEncoder().encode(text)
const source = { topic: 't', decode: undefined }
const from = 100

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function extrasOf(expiresAt: number | undefined, headers: Record<string, string>, key: string | undefined) {
  const rest = JSON.stringify(headers)
  if (expiresAt === undefined && key === undefined && rest === '{}') return undefined
  const text = expiresAt === undefined ? rest : expiringHeaders(expiresAt, rest)
  return { key: key === undefined ? undefined : utf8(key), headers: utf8(text), expiresAt }
}

const messages = fc.array(
  fc.record({
    expiresAt: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    headers: fc.constantFrom({}, { type: 'a' }, { type: 'b', 1: 'x' }),
    key: fc.option(fc.string({ maxLength: 5 }), { nil: undefined }),
    time: fc.integer({ min: 1, max: 3 }),
    length: fc.nat(20),
  }),
  { minLength: 1, maxLength: 20 },
)

function offsetsIn(batch: MessageBatch<unknown>): number[] {
  const offsets: number[] = []
  batch.forEach((_bytes, _start, _end, offset) => void offsets.push(offset))
  expect([...batch].map(({ offset }) => offset)).toEqual(offsets)
  expect(batch.length).toBe(offsets.length)
  if (offsets.length > 0) expect(batch.firstOffset).toBe(offsets[0])
  return offsets
}

function walked(cursor: ChunkCursor): number[] {
  const offsets: number[] = []
  while (cursor.next()) offsets.push(cursor.offset)
  return offsets
}

describe('what has expired', () => {
  it('is passed over by every walk through a chunk alike, from the very millisecond on, and nothing else is', () => {
    fc.assert(
      fc.property(messages, fc.integer({ min: 0, max: 13 }), (list, now) => {
        const loose: LooseMessage[] = list.map(({ expiresAt, headers, key, time, length }, index) => ({
          offset: from + index,
          time,
          value: new Uint8Array(length),
          extras: extrasOf(expiresAt, headers as Record<string, string>, key),
        }))
        const alive = loose.filter((_, index) => (list[index].expiresAt ?? Number.POSITIVE_INFINITY) > now)
        const wanted = alive.map(({ offset }) => offset)
        const bytes = chunkBytesOf(loose)
        const to = from + loose.length
        vi.setSystemTime(now)
        const cursor = chunkOf(loose)
        expect(walked(cursor)).toEqual(wanted)
        expect(cursor.expected).toBe(to)
        expect(offsetsIn(denseBatch(source, onlyTopic, bytes, from, to, false))).toEqual(wanted)
        const borrowed = bytes.slice()
        const batch = denseBatch(source, onlyTopic, borrowed, from, to, true)
        expect(offsetsIn(batch)).toEqual(wanted)
        const records = new ChunkRecords(source, onlyTopic, bytes, from, to, undefined)
        expect(offsetsIn(records.batch(0, records.length))).toEqual(wanted)
        expect([records.end, records.failure]).toEqual([to, undefined])
        const lone = loose.filter((message) => unexpired(placeOf(message)) !== undefined)
        expect(lone.map(({ offset }) => offset)).toEqual(wanted)
        // Selected earlier, and looked at now.
        const isMatch = (offset: number) => 'type' in list[offset - from].headers && offset % 2 === 0
        const matcher = new HeaderMatcher([{ name: 'type', values: ['a', 'b'] }])
        const parity = { ...matcher, matches: (at: ChunkCursor) => matcher.matches(at) && at.offset % 2 === 0 }
        vi.setSystemTime(0)
        const selected = new SelectedRecords(onlyTopic, parity as unknown as HeaderMatcher, from)
        selected.add(bytes, to)
        const taken = selected.take()
        vi.setSystemTime(now)
        expect(offsetsIn(sparseBatch(source, onlyTopic, taken.bytes, from, taken.to))).toEqual(wanted.filter(isMatch))
      }),
    )
  })

  it('stays part of a batch that was made before', () => {
    const message = { offset: 0, time: 1, value: utf8('x'), extras: extrasOf(5, {}, undefined) }
    vi.setSystemTime(4)
    const batch = denseBatch(source, onlyTopic, chunkBytesOf([message]), 0, 1, false)
    vi.setSystemTime(5)
    expect(offsetsIn(batch)).toEqual([0])
  })
})

function placeOf(message: LooseMessage) {
  const bytes = new Uint8Array(4_096)
  const words = new Uint32Array(bytes.buffer)
  writeDataFrame(bytes, words, 0, 0, message.value, message.extras, 0)
  return { bytes, words, frame: 0, offset: message.offset, timestamp: 0 }
}

describe('the header', () => {
  it('is first among the others, whatever their names, and JSON like before', () => {
    const headers = { 1: 'one', __proto: 'x', 'bookend-id': 'y' }
    for (const time of [0, 1, 1_764_192_000_000, maxExpiresAt]) {
      expect(JSON.parse(expiringHeaders(time, '{}'))).toEqual({ 'bookend-expires': String(time).padStart(13, '0') })
      const text = expiringHeaders(time, JSON.stringify(headers))
      expect(text.startsWith('{"bookend-expires":"')).toBe(true)
      expect(JSON.parse(text)).toEqual({ 'bookend-expires': String(time).padStart(13, '0'), ...headers })
    }
  })

  it('that is missing, broken or longer than its frame lets the message stay', () => {
    vi.setSystemTime(maxExpiresAt)
    const broken = ['', '{}', '{"bookend-expires":"1"}', '{"bookend-expires":"00000000000x1"}', '{"a":"0000000000001"}']
    for (const headers of [...broken, '{"bookend-expires":"00000000000011"}', '{"bookend-expires":"000000000000'])
      for (const key of [undefined, 'key']) {
        const extras = { key: key === undefined ? undefined : utf8(key), headers: utf8(headers), expiresAt: 1 }
        const record = placeOf({ offset: 0, time: 0, value: utf8('"0000000000001"'), extras })
        expect(unexpired(record), headers).toBe(record)
      }
    const record = placeOf({ offset: 0, time: 0, value: utf8('v'), extras: extrasOf(1, {}, 'key') })
    expect(unexpired(record)).toBe(undefined)
    for (const length of [0xffff_fff0, 1_000, 40]) {
      record.words[frameHeaderBytes >>> 2] = length
      expect(unexpired(record)).toBe(record)
    }
  })
})
