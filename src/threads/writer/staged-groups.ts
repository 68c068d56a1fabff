/**
 * Groups on their way from the ring into one batch: guards stand between them, and are not to be on disk, so their frames are copied together. What they
 * will have changed is known here, for the guards of those that come behind them: nothing of it is in the log yet.
 *
 * Invariant: whoever judges by the log and by what is staged judges as if all of it was appended already. So all of it is appended next, or nothing was
 * judged: verdicts are told behind the append.
 */
import {
  flagsOf,
  frameBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
} from '../../format/frame-layout.js'
import { keyTag } from '../../format/key-tag.js'
import { joinWords } from '../../format/numbers.js'
import { maxStagedBytes } from '../../limits.js'
import type { FrameRun } from '../../storage/append/batch-cutter.js'
import { type IdPlace, isSameId } from './id-table.js'
import type { GuardVerdict } from './judged-groups.js'

/** Chains of ids, by their hashes. */
const chains = 1024
/** Below that the loop is faster than the call. */
const shortWords = 128

export class StagedGroups {
  readonly run: FrameRun
  /** Of the run. */
  bytes = 0
  records = 0
  /** How many messages there are of each topic. */
  readonly #counts = new Map<number, number>()
  /** What registers are set to, as their declarations state it. */
  readonly #stated = new Map<number, number>()
  /** The youngest of each chain. */
  readonly #ids = new Array<GuardVerdict | undefined>(chains).fill(undefined)
  #hasIds = false

  constructor() {
    const bytes = new Uint8Array(maxStagedBytes)
    this.run = { bytes, words: new Uint32Array(bytes.buffer) }
  }

  /** How many topics they are of. */
  get topics(): number {
    return this.#counts.size + this.#stated.size
  }

  clear(): void {
    if (this.bytes === 0) return
    this.bytes = 0
    this.records = 0
    this.#counts.clear()
    this.#stated.clear()
    if (this.#hasIds) this.#ids.fill(undefined)
    this.#hasIds = false
  }

  takes(bytes: number): boolean {
    return this.bytes + bytes <= maxStagedBytes
  }

  /** Behind all others, where there is room. */
  add(source: FrameRun, from: number, end: number): void {
    const { words } = source
    this.#copy(source, from, end)
    this.bytes += end - from
    for (let at = from; at < end; at += frameBytes(words[(at >>> 2) + frameWord.length])) {
      const word = at >>> 2
      const topic = words[word + frameWord.topic]
      if (kindOf(words[word + frameWord.tail]) === frameKind.data) {
        this.records += 1
        this.#counts.set(topic, this.messagesOf(topic) + 1)
      } else {
        const payload = (at + frameHeaderBytes) >>> 2
        this.#stated.set(topic, joinWords(words[payload], words[payload + 1]))
      }
    }
  }

  /** Of a message that is staged. It is not there, or it is one of the same group. */
  addId(verdict: GuardVerdict): void {
    const chain = verdict.id.hash & (chains - 1)
    verdict.before = this.#ids[chain]
    this.#ids[chain] = verdict
    this.#hasIds = true
  }

  messagesOf(topic: number): number {
    return this.#counts.get(topic) ?? 0
  }

  statedOf(register: number): number | undefined {
    return this.#stated.get(register)
  }

  /** Of the message that has the id. @param bytes of the ring that all are taken from */
  offsetOf(topic: number, bytes: Uint8Array, id: IdPlace): number | undefined {
    let found = this.#ids[id.hash & (chains - 1)]
    while (found !== undefined && !(found.topic === topic && isSameId(bytes, found.id, id))) found = found.before
    return found?.offset
  }

  /** A message with that key, or with another one that has the same tag. */
  hasKey(topic: number, tag: number): boolean {
    if (this.messagesOf(topic) === 0) return false
    const { bytes, words } = this.run
    for (let at = 0; at < this.bytes; at += frameBytes(words[(at >>> 2) + frameWord.length])) {
      const word = at >>> 2
      const tail = words[word + frameWord.tail]
      const mayHaveKey = kindOf(tail) === frameKind.data && (flagsOf(tail) & frameFlag.extended) !== 0
      if (mayHaveKey && words[word + frameWord.topic] === topic && keyTag(bytes, words, at) === tag) return true
    }
    return false
  }

  /** They are appended: what the tail has stamped into `run` from `at` on goes where the group was taken from. @returns where the next one begins */
  stampBack(words: Uint32Array, from: number, end: number, at: number): number {
    const own = this.run.words
    let next = at
    for (let frame = from; frame < end; ) {
      const bytes = frameBytes(words[(frame >>> 2) + frameWord.length])
      const [word, source] = [frame >>> 2, next >>> 2]
      words[word + frameWord.offsetLow] = own[source + frameWord.offsetLow]
      words[word + frameWord.tail] = own[source + frameWord.tail]
      frame += bytes
      next += bytes
    }
    return next
  }

  #copy({ bytes, words }: FrameRun, from: number, end: number): void {
    const count = (end - from) >>> 2
    if (count > shortWords) {
      this.run.bytes.set(bytes.subarray(from, end), this.bytes)
      return
    }
    const [source, target] = [from >>> 2, this.bytes >>> 2]
    const own = this.run.words
    for (let word = 0; word < count; word++) own[target + word] = words[source + word]
  }
}
