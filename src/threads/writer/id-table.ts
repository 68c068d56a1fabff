/**
 * Ids in the order in which they came, found by their bytes: numbers in a few arrays. A million objects would keep the collector at work for longer
 * than everything else that an append takes. It grows by a block of entries at a time, and by a chain: no append waits for more than that.
 *
 * ```
 *   blocks   of entries, oldest first: id | offset | time | hash | the entry before it in its chain
 *   chains   by hash, the youngest entry of each, its hash, and whether it is alone
 * ```
 *
 * Most chains have one entry at most, of which nothing is read but where its id is the one that is looked for. A chain leads from the youngest to the oldest: who comes to an entry that is gone is at its end, so nothing is ever unlinked.
 */
import { Fifo } from '../../collections/fifo.js'
import { fnv1a } from '../../format/fnv.js'
import { IdBlock } from './id-block.js'
import { IdChains, noEntry } from './id-chains.js'

/** Where an id stands in bytes that go with this. */
export interface IdPlace {
  from: number
  end: number
  hash: number
}

/** A message that was appended under an id. */
export interface KnownId {
  /** In UTF-8. */
  readonly id: Uint8Array
  readonly offset: number
  /** Of its batch, ms since the epoch. */
  readonly time: number
}

/** The number of an entry is that of its block, times so many, and its place there. */
const blockBits = 14
const blockEntries = 1 << blockBits
const placeMask = blockEntries - 1
const leastEntries = 16
const bytesPerId = 16
/** More than these are let go as soon as there is no entry. */
const keptChains = 1024
const chainsPerEntry = 2

/** Of this process: nobody can make up ids that all come into one chain. */
const seed = Math.floor(Math.random() * 2 ** 32) | 0

/** By FNV-1a: ids are short. */
export function hashOf(bytes: Uint8Array, from: number, end: number): number {
  const hash = fnv1a(bytes, from, end, seed)
  return hash ^ (hash >>> 15)
}

export function placeOf(bytes: Uint8Array, from = 0, end = bytes.length): IdPlace {
  return { from, end, hash: hashOf(bytes, from, end) }
}

/** @param bytes of both */
export function isSameId(bytes: Uint8Array, one: IdPlace, other: IdPlace): boolean {
  const length = one.end - one.from
  if (one.hash !== other.hash || other.end - other.from !== length) return false
  for (let at = 0; at < length; at++) if (bytes[one.from + at] !== bytes[other.from + at]) return false
  return true
}

export class IdTable {
  /** There is always one to add to, which may be empty. */
  readonly #blocks = new Fifo<IdBlock>()
  /** Numbers of the first entries of the first block and of the last: they only go up. */
  #firstBase = 0
  #lastBase = 0
  #last = new IdBlock(leastEntries, leastEntries * bytesPerId)
  /** Number of the oldest entry, or of the next one. */
  #oldest = 0
  #length = 0
  #chains = new IdChains()

  constructor() {
    this.#blocks.push(this.#last)
  }

  get length(): number {
    return this.#length
  }

  /** Of the oldest, where there is one. */
  get oldestTime(): number {
    return this.#blocks.at(0).time(this.#oldest & placeMask)
  }

  /** Of what came under this id first, of all that is still there; undefined: nothing is. */
  offsetOf(bytes: Uint8Array, id: IdPlace): number | undefined {
    return this.#find(bytes, id, 'first')
  }

  /** Of what came under this id last. Behind few others, however often the id is there. */
  lastOffsetOf(bytes: Uint8Array, id: IdPlace): number | undefined {
    return this.#find(bytes, id, 'last')
  }

  #find(bytes: Uint8Array, id: IdPlace, which: 'first' | 'last'): number | undefined {
    const chains = this.#chains
    const chain = chains.of(id.hash)
    let found: number | undefined
    let entry = chains.youngest(chain)
    if (entry >= this.#oldest && chains.isLone(chain) && chains.hash(chain) !== id.hash) return undefined
    while (entry >= this.#oldest) {
      const at = entry & placeMask
      const block = this.#blockOf(entry)
      if (block.hash(at) === id.hash && block.isAt(at, bytes, id)) {
        found = block.offset(at)
        if (which === 'last') return found
      }
      entry = block.before(at)
    }
    return found
  }

  add(bytes: Uint8Array, id: IdPlace, offset: number, time: number): void {
    if (this.#last.isFull) this.#addBlock()
    const block = this.#last
    const chains = this.#chains
    const chain = chains.of(id.hash)
    const before = chains.youngest(chain)
    const at = block.add(bytes, id, offset, time, before)
    chains.setYoungest(chain, this.#lastBase + at, id.hash, before < this.#oldest)
    this.#length += 1
    for (let more = 0; more < chainsPerEntry && chains.count < chainsPerEntry * this.#length; more++) this.#divide()
  }

  /** There is one. */
  dropOldest(): void {
    this.#length -= 1
    this.#oldest += 1
    // Not its place in a block: behind the last one of a block of full length that is that of the next one's first.
    if (this.#oldest - this.#firstBase < this.#blocks.at(0).length || this.#blocks.length === 1) {
      if (this.#length === 0 && this.#chains.count > keptChains) this.#chains = new IdChains()
      return
    }
    this.#blocks.shift()
    this.#firstBase += blockEntries
    this.#oldest = this.#firstBase
  }

  /** Oldest first. */
  *[Symbol.iterator](): IterableIterator<KnownId> {
    let first = this.#oldest - this.#firstBase
    for (const block of this.#blocks) {
      for (let at = first; at < block.length; at++)
        yield { id: block.idAt(at), offset: block.offset(at), time: block.time(at) }
      first = 0
    }
  }

  #blockOf(entry: number): IdBlock {
    return this.#blocks.at((entry - this.#firstBase) >>> blockBits)
  }

  /** As large as all that is there: a topic that remembers few ids has small ones. */
  #addBlock(): void {
    const entries = Math.min(blockEntries, Math.max(leastEntries, this.#length))
    const { length, bytes } = this.#last
    this.#last = new IdBlock(entries, Math.ceil((bytes / length) * entries))
    this.#blocks.push(this.#last)
    this.#lastBase += blockEntries
    if (this.#length > 0) return
    // Nobody has dropped the block whose last entry was the last of all.
    this.#blocks.shift()
    this.#firstBase = this.#lastBase
    this.#oldest = this.#firstBase
  }

  /** The entries of one chain, in their order, among it and a new one. */
  #divide(): void {
    const chains = this.#chains
    const divided = chains.divide()
    const added = chains.count - 1
    let entry = chains.youngest(divided)
    if (entry < this.#oldest) return
    if (chains.isLone(divided)) {
      const hash = chains.hash(divided)
      if (chains.of(hash) === divided) return
      chains.setYoungest(added, entry, hash, true)
      chains.setEmpty(divided)
      return
    }
    let [stays, moves] = [noEntry, noEntry]
    while (entry >= this.#oldest) {
      const block = this.#blockOf(entry)
      const at = entry & placeMask
      const older = block.before(at)
      const hash = block.hash(at)
      if (chains.of(hash) === added) {
        this.#link(added, moves, entry, hash)
        moves = entry
      } else {
        this.#link(divided, stays, entry, hash)
        stays = entry
      }
      entry = older
    }
    this.#end(added, moves)
    this.#end(divided, stays)
  }

  /** @param younger the last of the chain so far; none: it begins */
  #link(chain: number, younger: number, entry: number, hash: number): void {
    if (younger === noEntry) this.#chains.setYoungest(chain, entry, hash, true)
    else {
      this.#chains.setOthers(chain)
      this.#blockOf(younger).setBefore(younger & placeMask, entry)
    }
  }

  /** @param oldest the last of the chain; none: there are none */
  #end(chain: number, oldest: number): void {
    if (oldest === noEntry) this.#chains.setEmpty(chain)
    else this.#blockOf(oldest).setBefore(oldest & placeMask, noEntry)
  }
}
