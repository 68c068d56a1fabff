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
}

export class KeyedLooks {
  readonly #parts: KeyedLooksParts

  constructor(parts: KeyedLooksParts) {
    this.#parts = parts
  }

  keyed(topic: TopicRef, asked: readonly KeyedAsk[]): KeyedAnswers {
    const pieces: Uint8Array[] = []
    let end = 0
    const parts = asked.map((ask) => {
      const found = this.#withKey(topic, ask)
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
    return this.#fromFirst(topic, { from: 0, to }, (from) => reader.newest({ topic: topic.id, from, asked }))
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
