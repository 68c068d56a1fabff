/**
 * Names and numbers of topics, for all threads that append to one log: a hash table in shared memory that only grows.
 *
 * ```
 *   header   next number | words of the arena in use | numbers below this were in the log when it was opened
 *   slots    where the entry of a name stands in the arena, in words; 0: free. A name is in the first slot from its hash on that is its own
 *   arena    entries: number, length of the name, the name
 * ```
 *
 * An entry is whole before one compare-and-exchange puts it into its slot, which makes it visible. So there is no lock that a thread could
 * die with, and what it leaves half done is some words and a number that nobody uses. Of two threads with one new name the first
 * to exchange gives it its number, the other takes that, and leaves as much.
 */
import { assert } from '../errors.js'
import { maxTopics } from '../limits.js'

const header = { nextNumber: 0, arenaUsed: 1, openedBelow: 2 } as const
const headerWords = 32
/** Twice as many as there can be names, so that searches are short. A power of two. */
const slotCount = 2 * maxTopics
const slotMask = slotCount - 1
const arenaAt = headerWords + slotCount
/** For names to come. Costs addresses until it is used. */
const spareArenaWords = 1 << 24
const entryWord = { number: 0, length: 1, name: 2 } as const

export class TopicNames {
  readonly #words: Int32Array
  readonly #bytes: Uint8Array

  /** A table of topics that have their numbers, and room for others. @param openedBelow numbers below this were in the log when it was opened */
  static allocate(
    known: readonly { id: number; name: string }[],
    nextNumber: number,
    openedBelow: number,
  ): SharedArrayBuffer {
    const used = known.reduce((sum, { name }) => sum + entryWords(name), 0)
    const bytes = (arenaAt + used + spareArenaWords) * Int32Array.BYTES_PER_ELEMENT
    const shared = new SharedArrayBuffer(bytes)
    const names = new TopicNames(shared)
    names.#words[header.nextNumber] = nextNumber
    names.#words[header.openedBelow] = openedBelow
    for (const { id, name } of known) {
      const taken = names.#search(name, () => id)
      assert(taken === id, 'a topic has one name, and a name one topic')
    }
    return shared
  }

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared)
    this.#bytes = new Uint8Array(shared)
  }

  get openedBelow(): number {
    return Atomics.load(this.#words, header.openedBelow)
  }

  /** The number of a topic; -1: nobody has asked for one. */
  find(name: string): number {
    return this.#search(name, undefined)
  }

  /** The number of a topic, a new one if need be; -1: there is none left, or no room for the name. */
  intern(name: string): number {
    return this.#search(name, () => Atomics.add(this.#words, header.nextNumber, 1))
  }

  /** All names that have a number, in no order. */
  *entries(): IterableIterator<{ id: number; name: string }> {
    for (let slot = 0; slot < slotCount; slot++) {
      const entry = Atomics.load(this.#words, headerWords + slot)
      if (entry !== 0) yield { id: this.#words[entry + entryWord.number], name: this.#nameOf(entry) }
    }
  }

  #search(name: string, makeNumber: (() => number) | undefined): number {
    let own = 0
    for (let slot = hash(name) & slotMask; ; slot = (slot + 1) & slotMask) {
      let entry = Atomics.load(this.#words, headerWords + slot)
      if (entry === 0) {
        if (makeNumber === undefined) return -1
        if (own === 0) {
          own = this.#reserve(name)
          const number = makeNumber()
          if (own < 0 || number >= maxTopics) return -1
          this.#fill(own, name, number)
        }
        // Whole by now: this makes it visible, to whoever looks, at once.
        entry = Atomics.compareExchange(this.#words, headerWords + slot, 0, own)
        if (entry === 0) return this.#words[own + entryWord.number]
      }
      if (this.#isNamed(entry, name)) return this.#words[entry + entryWord.number]
    }
  }

  /** Where an entry can stand; -1: there is no room for it. */
  #reserve(name: string): number {
    const words = entryWords(name)
    const at = arenaAt + Atomics.add(this.#words, header.arenaUsed, words)
    return at + words > this.#words.length ? -1 : at
  }

  #fill(at: number, name: string, number: number): void {
    this.#words[at + entryWord.number] = number
    this.#words[at + entryWord.length] = name.length
    const start = (at + entryWord.name) * Int32Array.BYTES_PER_ELEMENT
    for (let index = 0; index < name.length; index++) this.#bytes[start + index] = name.charCodeAt(index)
  }

  #isNamed(entry: number, name: string): boolean {
    if (this.#words[entry + entryWord.length] !== name.length) return false
    const start = (entry + entryWord.name) * Int32Array.BYTES_PER_ELEMENT
    for (let index = 0; index < name.length; index++)
      if (this.#bytes[start + index] !== name.charCodeAt(index)) return false
    return true
  }

  #nameOf(entry: number): string {
    const start = (entry + entryWord.name) * Int32Array.BYTES_PER_ELEMENT
    return String.fromCharCode(...this.#bytes.subarray(start, start + this.#words[entry + entryWord.length]))
  }
}

/** Names are ASCII. */
function entryWords(name: string): number {
  return entryWord.name + Math.ceil(name.length / Int32Array.BYTES_PER_ELEMENT)
}

/** FNV-1a, its upper bits folded in. */
function hash(name: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < name.length; index++) value = Math.imul(value ^ name.charCodeAt(index), 0x01000193)
  return (value ^ (value >>> 15)) >>> 0
}
