/**
 * Lone messages with conditions in their own frames: see format/frame-layout.ts. They are judged where they stand, by all that is in the log and by what stands in front of
 * them in the same run. Those that hold become frames like all others, and are appended with them, right out of the ring.
 *
 * ```
 *   | holds | plain | holds | refused | known | holds | plain | guard ...
 *   |<------ one run ------>|  told   | told  |<- the next ->|
 * ```
 *
 * Invariant: a frame has its conditions until it is appended. What is not, for want of room or because the write fails, has them back, and is judged anew. An id
 * that is in the run already ends it: behind the append it is known.
 */
import {
  conditionFlags,
  flagsOf,
  frameBytes,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  noKey,
  offsetOf,
  tailWord,
} from '../../format/frame-layout.js'
import { idInHeader } from '../../format/id-header.js'
import { highWord, lowWord } from '../../format/numbers.js'
import { gatherBytes } from '../../limits.js'
import type { RingMemory } from '../../ring/append-ring.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { LogTail } from '../../storage/append/log-tail.js'
import { hashOf, type IdPlace, type IdTable } from './id-table.js'
import type { IdWindows } from './id-windows.js'
import type { LaneIntake } from './lane-intake.js'
import type { Publisher } from './publisher.js'

const { expects, named, continues } = frameFlag
/** So many are judged before they are appended. */
const maxJudged = 4096
/** Of the ids in a run, by hash. */
const chains = 1024
const none = -1

export interface OwnConditionsParts {
  tail: Pick<LogTail, 'next' | 'time'>
  ids: IdWindows
  cells: Pick<TopicCells, 'idWindowMs' | 'maxIds'>
  publisher: Pick<Publisher, 'publish' | 'release'>
  /** @returns the bytes taken, 0 where there is no room yet. @throws the error of the write, with the tail as it was */
  append(memory: RingMemory, from: number, to: number): number
}

export class OwnConditions {
  readonly #parts: OwnConditionsParts
  /** What holds in the run: where it stands, what it asked for, and of an id the hash and the one before it in its chain. */
  readonly #places = new Uint32Array(maxJudged)
  readonly #asked = new Uint8Array(maxJudged)
  readonly #hashes = new Int32Array(maxJudged)
  readonly #before = new Int32Array(maxJudged)
  readonly #youngest = new Int32Array(chains).fill(none)
  #count = 0
  #hasIds = false
  /** Where topics go on behind the run; of its last one a local variable says so. */
  readonly #nexts = new Map<number, number>()
  readonly #id: IdPlace = { from: 0, end: 0, hash: 0 }
  /** What becomes of the frame that ends the run; undefined: that is not known, or it is of another kind. */
  #refusal: typeof frameKind.known | typeof frameKind.refused | undefined
  #refusalOffset = 0

  constructor(parts: OwnConditionsParts) {
    this.#parts = parts
  }

  /** Takes the lone messages from `at` on, the head of a lane's ring, as far as there is room. */
  take(lane: LaneIntake, at: number, to: number): void {
    const { tail, publisher } = this.#parts
    const { memory, head } = lane.ring
    let end = at
    let isAppended = false
    try {
      while (end < to && end - at < gatherBytes) {
        const from = end
        const runEnd = this.#takeRun(memory, from, to, (taken) => {
          isAppended = true
          end += taken
          lane.noteTime(tail.time, head + from - at)
        })
        if (end < runEnd) break
        if (this.#refusal !== undefined) end = this.#refuse(memory.words, end, this.#refusal)
        else if (end === from) break
      }
    } finally {
      // What was told was told behind the append in front of it.
      if (isAppended) publisher.publish(lane, head + end - at)
      else if (end > at) publisher.release(lane, head + end - at)
    }
  }

  /** @param onTaken told of the bytes, where there are any. @returns where the run ends */
  #takeRun(memory: RingMemory, from: number, to: number, onTaken: (bytes: number) => void): number {
    let takenTo = from
    try {
      const end = this.#judge(memory, from, to)
      if (end > from) takenTo += this.#parts.append(memory, from, end)
      if (takenTo > from) onTaken(takenTo - from)
      return end
    } finally {
      this.#settle(memory, takenTo)
    }
  }

  /** Of what holds the conditions are taken away. @returns where the run ends: in front of what does not hold, is not known yet, or is no lone message */
  #judge(memory: RingMemory, from: number, to: number): number {
    const { tail, ids, cells } = this.#parts
    const { bytes, words } = memory
    const id = this.#id
    this.#begin()
    let topic = none
    let next = 0
    let known: Pick<IdTable, 'offsetOf'> | undefined
    let at = from
    for (; at < to && at - from < gatherBytes && this.#count < maxJudged; next++) {
      const word = at >>> 2
      const bits = words[word + frameWord.tail]
      const flags = flagsOf(bits)
      if (kindOf(bits) !== frameKind.data || (flags & continues) !== 0) break
      if (words[word + frameWord.topic] !== topic) {
        this.#nexts.set(topic, next)
        topic = words[word + frameWord.topic]
        next = this.#nexts.get(topic) ?? tail.next(topic)
        known = undefined
      }
      const asked = flags & conditionFlags
      if ((asked & named) !== 0) {
        known ??= ids.idsOf(topic, { windowMs: cells.idWindowMs(topic), max: cells.maxIds(topic) })
        placeId(memory, at, id)
        id.hash = hashOf(bytes, id.from, id.end)
        // The id first: what was written is written, whatever has come behind it.
        const offset = known.offsetOf(bytes, id)
        if (offset !== undefined) return this.#end(at, frameKind.known, offset)
        if (this.#isInRun(id.hash)) break
      }
      if ((asked & expects) !== 0 && offsetOf(words[word + frameWord.offsetLow], bits) !== next)
        return this.#end(at, frameKind.refused, next)
      if (asked !== 0) {
        this.#hold(at, asked, id.hash)
        words[word + frameWord.tail] = bits & ~(conditionFlags << 24)
      }
      at += frameBytes(words[word + frameWord.length])
    }
    return at
  }

  #begin(): void {
    if (this.#hasIds) this.#youngest.fill(none)
    this.#hasIds = false
    this.#count = 0
    this.#nexts.clear()
    this.#refusal = undefined
  }

  #end(at: number, refusal: typeof frameKind.known | typeof frameKind.refused, offset: number): number {
    this.#refusal = refusal
    this.#refusalOffset = offset
    return at
  }

  #isInRun(hash: number): boolean {
    let each = this.#youngest[hash & (chains - 1)]
    while (each !== none && this.#hashes[each] !== hash) each = this.#before[each]
    return each !== none
  }

  #hold(at: number, asked: number, hash: number): void {
    const each = this.#count++
    this.#places[each] = at
    this.#asked[each] = asked
    if ((asked & named) === 0) return
    const chain = hash & (chains - 1)
    this.#hashes[each] = hash
    this.#before[each] = this.#youngest[chain]
    this.#youngest[chain] = each
    this.#hasIds = true
  }

  /** What stands below `end` is appended: its ids are known. What stands behind has its conditions back. */
  #settle(memory: RingMemory, end: number): void {
    const { tail, ids } = this.#parts
    const { bytes, words } = memory
    const id = this.#id
    for (let each = 0; each < this.#count; each++) {
      const at = this.#places[each]
      const word = at >>> 2
      const asked = this.#asked[each]
      const bits = words[word + frameWord.tail]
      if (at >= end) words[word + frameWord.tail] = bits | (asked << 24)
      else if ((asked & named) !== 0) {
        placeId(memory, at, id)
        id.hash = this.#hashes[each]
        ids.note(words[word + frameWord.topic], bytes, id, offsetOf(words[word + frameWord.offsetLow], bits), tail.time)
      }
    }
    this.#count = 0
  }

  /** @returns where the next frame begins */
  #refuse(words: Uint32Array, at: number, kind: typeof frameKind.known | typeof frameKind.refused): number {
    const word = at >>> 2
    words[word + frameWord.offsetLow] = lowWord(this.#refusalOffset)
    words[word + frameWord.tail] = tailWord(highWord(this.#refusalOffset), kind, 0)
    return at + frameBytes(words[word + frameWord.length])
  }
}

/** Where the id stands in the headers of the frame at `at`. */
function placeId({ words }: Pick<RingMemory, 'words'>, at: number, place: IdPlace): void {
  const extension = (at + frameHeaderBytes) >>> 2
  const key = words[extension]
  const headers = at + frameHeaderBytes + frameExtensionBytes + (key === noKey ? 0 : key)
  place.from = headers + idInHeader.start
  place.end = place.from + words[extension + 1] - idInHeader.around
}
