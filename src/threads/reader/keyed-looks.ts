/** Records that are looked for by their keys: those of single keys, and of many keys at once where the newest of each is. */
import { type PackedKeys, unpackKeys } from '../../collections/packed-keys.js'
import type { KeyedRange } from '../../engine/engine.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import { joinPieces } from '../../storage/read/chunk-thinning.js'
import type { KeyedRecords } from '../../storage/read/key-search.js'
import type { TopicReader } from '../../storage/read/topic-reader.js'
import type { KeyedAnswers, KeyedAsk, NewestAnswer, TopicRef } from './reader.js'

export interface KeyedLooksParts {
  readonly reader: Pick<TopicReader, 'keyed' | 'newest'>
  readonly cells: Pick<TopicCells, 'firstOf'>
  /** As all reading is done: errors name the topic, and a trim is told from damage. */
  guarded<R>(topic: TopicRef, offset: number, read: () => R): R
  /** Undefined: it was trimmed. */
  one(topic: TopicRef, offset: number): Uint8Array | undefined
}

/** Of records that were found together: so many bytes are enough for one answer. */
const recordBytes = 1 << 20

export class KeyedLooks {
  readonly #parts: KeyedLooksParts

  constructor(parts: KeyedLooksParts) {
    this.#parts = parts
  }

  keyed(topic: TopicRef, asked: readonly KeyedAsk[]): KeyedAnswers {
    const pieces: Uint8Array[] = []
    let end = 0
    const together = this.#lastOfEach(topic, asked)
    const parts = asked.map((ask) => {
      const found = together.get(ask) ?? this.#withKey(topic, ask)
      const at = end
      const starts = Float64Array.from(found.pieces, (piece) => {
        pieces.push(piece)
        end += piece.length
        return end - piece.length - at
      })
      return { starts, offsets: found.offsets, from: found.from, to: found.to, at, end }
    })
    return { bytes: joinPieces(pieces), parts }
  }

  newest(topic: TopicRef, keys: PackedKeys): NewestAnswer {
    const { reader } = this.#parts
    const asked = unpackKeys(keys)
    const to = keys.below.reduce((most, each) => Math.max(most, each), 0)
    return this.#fromFirst(topic, { from: 0, to }, (from) => reader.newest({ topic: topic.id, from, to, asked }))
  }

  /** Where several ask for the last message of their key and no other: by one look for all of them. */
  #lastOfEach(topic: TopicRef, asked: readonly KeyedAsk[]): Map<KeyedAsk, KeyedRecords> {
    const { reader } = this.#parts
    const lasts = asked.filter(({ range }) => range.isReverse && range.max === 1)
    if (lasts.length < 2) return new Map()
    const from = lasts.reduce((least, { range }) => Math.min(least, range.from), Number.POSITIVE_INFINITY)
    const to = lasts.reduce((most, { range }) => Math.max(most, range.to), 0)
    const sought = lasts.map(({ key, range }) => ({ key, from: range.from, to: range.to }))
    const { offsets, to: rest } = this.#fromFirst(topic, { from, to }, (from) =>
      reader.newest({ topic: topic.id, from, to, asked: sought }),
    )
    let left = recordBytes
    const recordsOf = ({ range: { from, to } }: KeyedAsk, offset: number): KeyedRecords => {
      if (offset < 0) return { pieces: [], offsets: [], from, to: Math.max(from, Math.min(to, rest)) }
      // Enough: it is looked for again, from here on. Where that would be the same question it is answered: who asks again comes to an end.
      if (left <= 0 && offset + 1 < to) return { pieces: [], offsets: [], from, to: offset + 1 }
      const piece = this.#parts.one(topic, offset)
      if (piece === undefined) return { pieces: [], offsets: [], from, to: from }
      left -= piece.length
      return { pieces: [piece], offsets: [offset], from, to: offset }
    }
    return new Map(lasts.map((ask, index) => [ask, recordsOf(ask, offsets[index])]))
  }

  #withKey(topic: TopicRef, { key, range: { from, to, max, isReverse } }: KeyedAsk): KeyedRecords {
    const { reader } = this.#parts
    return this.#fromFirst(topic, { from, to }, (from) =>
      reader.keyed({ topic: topic.id, key, from, to, max, isReverse }),
    )
  }

  /** What was trimmed, before or meanwhile, is not looked for. */
  #fromFirst<R>(topic: TopicRef, range: Pick<KeyedRange, 'from' | 'to'>, look: (from: number) => R): R {
    const { cells, guarded } = this.#parts
    for (;;) {
      const from = Math.min(range.to, Math.max(range.from, cells.firstOf(topic.id)))
      try {
        return guarded(topic, from, () => look(from))
      } catch (error) {
        if (cells.firstOf(topic.id) <= from || from === range.to) throw error
      }
    }
  }
}
