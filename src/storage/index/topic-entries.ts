/** The index entries of one topic in one segment, as they come. */
import { entryWord } from '../../format/segment-layout.js'

const { perEntry } = entryWord

export class TopicEntries {
  readonly topic: number
  name: string
  /** First readable offset that the segment's latest declaration states. */
  readable: number
  firstOffset: number
  count = 0
  /** Of the record frames. */
  frameBytes = 0
  /** Some of its records were lost to damage. */
  hasLost = false
  /** Behind `count` entries there may be anything. */
  words: Uint32Array<ArrayBuffer>

  /** @param words of an index that nobody uses any more */
  constructor(topic: number, firstOffset: number, words = new Uint32Array(4 * perEntry)) {
    this.topic = topic
    this.firstOffset = firstOffset
    this.words = words
    this.name = ''
    this.readable = 0
  }

  add(offset: number, batch: number, frame: number, length: number, tag: number): void {
    const entry = offset - this.firstOffset
    // Offsets between are lost to damage.
    if (entry > this.count) this.#clearTo(entry)
    const at = entry * perEntry
    if (at + perEntry > this.words.length) this.#grow(at + perEntry)
    this.words[at] = batch
    this.words[at + 1] = frame
    this.words[at + 2] = length
    this.words[at + 3] = tag
    this.count = entry + 1
  }

  /** The next `count` records, all of a length and one behind the other from `frame` on, `size` bytes each. */
  addRun(count: number, batch: number, frame: number, length: number, size: number): void {
    let at = this.count * perEntry
    const end = at + count * perEntry
    if (end > this.words.length) this.#grow(end)
    const { words } = this
    for (let next = frame; at < end; at += perEntry, next += size) {
      words[at] = batch
      words[at + 1] = next
      words[at + 2] = length
      words[at + 3] = 0
    }
    this.count += count
    this.frameBytes += count * size
  }

  /** Where the batch of a record begins in the segment. */
  batchOf(ordinal: number): number {
    return this.words[ordinal * perEntry + entryWord.batch]
  }

  /** Of the key of a record; 0: it has none. */
  tagOf(ordinal: number): number {
    return this.words[ordinal * perEntry + entryWord.tag]
  }

  /** The topic goes on at `offset`: what is missing below it was lost to damage. */
  extendTo(offset: number): void {
    this.#clearTo(offset - this.firstOffset)
  }

  /** Entries that are all zero stand for what was lost. */
  #clearTo(count: number): void {
    this.hasLost ||= count > this.count
    if (count * perEntry > this.words.length) this.#grow(count * perEntry)
    this.words.fill(0, this.count * perEntry, count * perEntry)
    this.count = count
  }

  #grow(needed: number): void {
    const grown = new Uint32Array(Math.max(needed, this.words.length * 2))
    grown.set(this.words)
    this.words = grown
  }
}
