import { expect, it } from 'vitest'
import { entryBytes, entryWord } from '../../../src/format/segment-layout.js'
import { indexPageBytes, maxIndexPages } from '../../../src/limits.js'
import type { PinnedWindow } from '../../../src/storage/files/segment-windows.js'
import { IndexPages } from '../../../src/storage/index/index-pages.js'
import { Seeded } from '../../support/seeded.js'

/** A segment whose words say where they stand. */
function segmentOf(segment: number, byteLength: number, reads: number[]): PinnedWindow {
  const readInto = (target: Uint8Array, targetAt: number, at: number, length: number) => {
    if (at + length > byteLength) throw new RangeError(`[${at}, ${at + length}) of ${byteLength}`)
    const words = new Uint32Array(target.buffer, target.byteOffset + targetAt, length / 4)
    for (let word = 0; word < words.length; word++) words[word] = segment * 2 ** 28 + at / 4 + word
    reads.push(at)
  }
  return { segment, window: { byteLength, readInto } } as unknown as PinnedWindow
}

it.each([0, 8])(
  'finds every entry, more of them than it keeps, where entries stand at a multiple of 16 and %i',
  (shift) => {
    const reads: number[] = []
    const byteLength = (maxIndexPages / 2 + 10) * indexPageBytes
    const segments = [0, 1].map((number) => segmentOf(number, byteLength, reads))
    const entriesAt = 2 * entryBytes + shift
    const entries = Math.floor((byteLength - entriesAt) / entryBytes)
    const pages = new IndexPages()
    const random = new Seeded(7)
    const check = (segment: PinnedWindow, entry: number) => {
      const word = pages.find(segment, entriesAt, entry)
      const expected = segment.segment * 2 ** 28 + (entriesAt + entry * entryBytes) / 4
      if (pages.words[word] !== expected || pages.words[word + entryWord.tag] !== expected + entryWord.tag)
        throw new Error(`entry ${entry} of segment ${segment.segment} is another one`)
    }
    for (const segment of segments) for (let entry = 0; entry < entries; entry += 97) check(segment, entry)
    for (let count = 0; count < 20_000; count++) check(segments[count % 2], random.below(entries))
    for (const segment of segments) check(segment, entries - 1)
    const read = reads.length
    check(segments[0], 5)
    check(segments[0], 6)
    expect(reads.length).toBeLessThanOrEqual(read + 1)
    pages.clear()
    check(segments[0], 6)
    expect(reads.length).toBeGreaterThan(read)
  },
)

it('keeps no more memory where pages cannot be read, and finds what can be', () => {
  const byteLength = (maxIndexPages + 50) * indexPageBytes
  const whole = segmentOf(0, byteLength, [])
  let fails = false
  const readInto: PinnedWindow['window']['readInto'] = (...read) => {
    if (fails) throw new Error('not in memory')
    whole.window.readInto(...read)
  }
  const segment = { segment: 0, window: { byteLength, readInto } } as unknown as PinnedWindow
  const pages = new IndexPages()
  const random = new Seeded(11)
  for (let count = 0; count < 3 * maxIndexPages; count++) {
    const entry = random.below(byteLength / entryBytes)
    fails = count % 3 === 0
    let word: number
    try {
      word = pages.find(segment, 0, entry)
    } catch {
      expect(fails).toBe(true)
      continue
    }
    if (pages.words[word] !== (entry * entryBytes) / 4) throw new Error(`entry ${entry} is another one`)
  }
  expect(pages.words.byteLength).toBe(maxIndexPages * indexPageBytes)
})
