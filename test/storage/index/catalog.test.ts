import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { encodeDirectory, encodeFooter, footerBytes, indexBytes } from '../../../src/format/segment-layout.js'
import { SlotTable } from '../../../src/ring/slot-table.js'
import { SegmentFiles } from '../../../src/storage/files/segment-files.js'
import { SegmentWindows } from '../../../src/storage/files/segment-windows.js'
import { Catalog } from '../../../src/storage/index/catalog.js'
import { Seeded } from '../../support/seeded.js'
import { testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

/** Indexed segments that hold some records of some of many topics; no data, as nobody reads it. */
class Indexed {
  readonly #world = simulatedWorld()
  readonly #files = new SegmentFiles(this.#world.disk, '/log', testSegmentBytes, '')
  readonly catalog: Catalog
  readonly #next = new Map<number, number>()
  readonly model = new Map<number, { segment: number; first: number; end: number }[]>()
  segments = 0
  trimmed = 0

  constructor() {
    const { memory, plainMemory } = this.#world
    const slots = new SlotTable(SlotTable.allocate())
    const windows = new SegmentWindows(memory, plainMemory, this.#files, slots, 'read', 4)
    const end = () => this.segments * testSegmentBytes
    const bounds = { published: end, indexed: end, trim: () => this.trimmed * testSegmentBytes }
    this.catalog = new Catalog(this.#world.disk, this.#files, windows, bounds)
  }

  add(topics: readonly number[]): void {
    const base = this.segments * testSegmentBytes
    const entriesAt = testSegmentBytes - indexBytes(topics.length, topics.length, 0)
    const rows = topics.map((topic, index) => {
      const firstOffset = this.#next.get(topic) ?? 0
      this.#next.set(topic, firstOffset + 1)
      const stretches = this.model.get(topic) ?? []
      stretches.push({ segment: this.segments, first: firstOffset, end: firstOffset + 1 })
      this.model.set(topic, stretches)
      return { topic, name: '', count: 1, firstOffset, readable: 0, entriesAt: entriesAt + index * 16, frameBytes: 24 }
    })
    const directory = encodeDirectory(rows)
    const directoryAt = entriesAt + topics.length * 16
    const sums = { directoryCrc: crc32(directory), entriesCrc: 0, firstTime: 1, lastTime: 1, tableAt: 0 }
    const counts = { records: topics.length, topics: topics.length }
    const bytes = new Uint8Array(testSegmentBytes)
    bytes.set(directory, directoryAt)
    bytes.set(
      encodeFooter({ base, dataEnd: 64, entriesAt, directoryAt, ...counts, ...sums }),
      bytes.length - footerBytes,
    )
    this.#world.disk.put(this.#files.path(this.segments), bytes)
    this.segments += 1
  }

  expected(topic: number) {
    return (this.model.get(topic) ?? []).filter(({ segment }) => segment >= this.trimmed)
  }
}

describe('the catalog', () => {
  it('names the records of every topic in the segments that are left, whatever was deleted between two looks', () => {
    const random = new Seeded(5)
    const indexed = new Indexed()
    for (let step = 0; step < 300; step++) {
      if (random.chance(0.5))
        indexed.add(Array.from({ length: 100 }, (_, topic) => topic).filter(() => random.chance(0.2)))
      if (random.chance(0.3)) indexed.trimmed = Math.min(indexed.segments, indexed.trimmed + random.below(4))
      for (let count = 0; count < 5; count++) {
        const topic = random.below(100)
        expect(indexed.catalog.stretches(topic, 0, 1e9)).toEqual(indexed.expected(topic))
      }
    }
    for (let topic = 0; topic < 100; topic++) {
      expect(indexed.catalog.stretches(topic, 0, 1e9)).toEqual(indexed.expected(topic))
    }
  })

  it('touches no topic for a segment that is deleted and held nothing of it', () => {
    const indexed = new Indexed()
    indexed.add([0, 1])
    indexed.add([0, 1])
    indexed.add(Array.from({ length: 1_000 }, (_, topic) => topic))
    indexed.catalog.stretches(0, 0, 1e9)
    indexed.trimmed = 2
    let lists = 0
    const { filter, splice } = Array.prototype
    const counting = (method: (...args: never[]) => unknown) =>
      function (this: unknown, ...args: never[]) {
        lists += 1
        return Reflect.apply(method, this, args)
      }
    Object.assign(Array.prototype, { filter: counting(filter), splice: counting(splice) })
    let found: unknown
    try {
      found = indexed.catalog.stretches(0, 0, 1e9)
    } finally {
      Object.assign(Array.prototype, { filter, splice })
    }
    expect(found).toEqual(indexed.expected(0))
    expect(lists).toBeLessThan(20)
  })
})
