/**
 * Which keys were appended of late, of topics in which somebody expects versions: so that the writer can tell that a key is still as it was when it was looked
 * up. Tags alone are kept: two keys with one tag are taken for one, and then somebody looks again. Keys of other topics are not looked at.
 *
 * Invariant: of a topic that is watched, everything appended at or past its `since` is in one of the two generations. What falls out with the older
 * one raises `since`; who has looked up at an older offset looks again.
 */
import { flagsOf, frameBytes, frameFlag, frameKind, frameWord, kindOf, offsetOf } from '../../format/frame-layout.js'
import type { UnchangedKey } from '../../format/guard-layout.js'
import { keyTag } from '../../format/key-tag.js'
import type { FrameRun } from '../../storage/append/batch-cutter.js'

/** In each of two generations. */
const defaultMaxKeys = 65_536

interface WatchedTopic {
  /** Everything from here on is known, */
  since: number
  /** and from here on stands in the younger generation. */
  young: number
  /** Somebody has asked since that began. */
  isAsked: boolean
}

export class KeyedAppends {
  readonly #next: (topic: number) => number
  readonly #maxKeys: number
  readonly #topics = new Map<number, WatchedTopic>()
  /** The last offset of each key, by topic and tag. */
  #young = new Map<number, number>()
  #old = new Map<number, number>()

  /** @param next the offset of a topic's next message */
  constructor(next: (topic: number) => number, maxKeys = defaultMaxKeys) {
    this.#next = next
    this.#maxKeys = maxKeys
  }

  /** False: something with that key was appended at or past `asOf`, or may have been. From now on the topic is watched. */
  isUnchanged(topic: number, { tag, asOf }: UnchangedKey): boolean {
    let watched = this.#topics.get(topic)
    if (watched === undefined) {
      const next = this.#next(topic)
      watched = { since: next, young: next, isAsked: true }
      this.#topics.set(topic, watched)
    }
    watched.isAsked = true
    if (asOf < watched.since) return false
    const name = nameOf(topic, tag)
    const last = this.#young.get(name) ?? this.#old.get(name)
    return last === undefined || last < asOf
  }

  /** The frames were appended, with their offsets stamped. Behind the append, before the next question. */
  note({ bytes, words }: FrameRun, from: number, to: number): void {
    if (this.#topics.size === 0) return
    for (let at = from; at < to; at += frameBytes(words[(at >>> 2) + frameWord.length])) {
      const word = at >>> 2
      const tail = words[word + frameWord.tail]
      const topic = words[word + frameWord.topic]
      const mayHaveKey = kindOf(tail) === frameKind.data && (flagsOf(tail) & frameFlag.extended) !== 0
      if (!mayHaveKey || !this.#topics.has(topic)) continue
      const tag = keyTag(bytes, words, at)
      if (tag !== 0) this.#young.set(nameOf(topic, tag), offsetOf(words[word + frameWord.offsetLow], tail))
    }
    if (this.#young.size >= this.#maxKeys) this.#beginGeneration()
  }

  #beginGeneration(): void {
    this.#old = this.#young
    this.#young = new Map()
    for (const [topic, watched] of this.#topics) {
      if (!watched.isAsked) this.#topics.delete(topic)
      watched.since = watched.young
      watched.young = this.#next(topic)
      watched.isAsked = false
    }
  }
}

/** Topics are below 2^20, tags below 2^32. */
function nameOf(topic: number, tag: number): number {
  return topic * 2 ** 32 + tag
}
