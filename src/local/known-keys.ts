/**
 * The last message of a key, by what this thread remembers of keys that were asked for. Messages are neither changed nor taken back, and those that
 * are trimmed are older than what is left: so what was found stays true of what was looked through, and only what came since has to be.
 */
import type { KeyedPart, KeyedRange } from '../engine/engine.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'

/** Of a key, below an offset. */
interface KnownKey {
  /** Of its last message there; -1: there is none, or only what was trimmed. */
  readonly offset: number
  readonly to: number
}

/** How many keys of a topic are remembered, and how long one may be. */
const maxKeys = 4_096
const maxKeyBytes = 256

export interface KnownKeysParts {
  /** First readable offset. */
  first(): number
  search(key: Uint8Array, range: KeyedRange): Promise<KeyedPart>
  /** At once where it is at hand. */
  record(offset: number): RecordPlace | undefined | Promise<RecordPlace | undefined>
}

export class KnownKeys {
  readonly #parts: KnownKeysParts
  /** In the order in which they were noted. */
  readonly #keys = new Map<string, KnownKey>()

  constructor(parts: KnownKeysParts) {
    this.#parts = parts
  }

  /** The newest in the range. */
  async last(key: Uint8Array, range: KeyedRange): Promise<KeyedPart> {
    const { from, to } = range
    const name = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
    const known = this.#keys.get(name)
    if (known === undefined || known.to > to) return this.#search(key, name, range)
    if (known.to < to) {
      // A message between what was looked through and the range would not be found.
      if (from > known.to) return this.#search(key, name, range)
      const part = await this.#search(key, name, { ...range, from: known.to })
      if (part.records.length > 0 || part.from < part.to) return { ...part, from }
      this.#note(name, { offset: known.offset, to })
    }
    const record = known.offset < from ? undefined : await this.#parts.record(known.offset)
    // Those before it are for who comes for more: it may have expired.
    return record === undefined ? { records: [], from: to, to } : { records: [record], from, to: known.offset }
  }

  async #search(key: Uint8Array, name: string, range: KeyedRange): Promise<KeyedPart> {
    const part = await this.#parts.search(key, range)
    const [record] = part.records
    if (record !== undefined) this.#note(name, { offset: record.offset, to: range.to })
    // Nothing below the range can be read any more.
    else if (part.from >= part.to && range.from <= this.#parts.first()) this.#note(name, { offset: -1, to: range.to })
    return part
  }

  #note(name: string, known: KnownKey): void {
    const before = this.#keys.get(name)
    if (name.length > maxKeyBytes || (before !== undefined && before.to > known.to)) return
    // The newest word of a key goes to the end, and the oldest goes.
    this.#keys.delete(name)
    this.#keys.set(name, known)
    if (this.#keys.size <= maxKeys) return
    const [oldest] = this.#keys.keys()
    this.#keys.delete(oldest)
  }
}
