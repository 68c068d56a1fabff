/**
 * The guard: what has to hold for the atomic group (or single frame) behind it to be written. It exists in the ring only. Guards and
 * group are handed over at once, so nothing comes between them. A group of several topics has several, one in front of the other: all of them have to hold.
 * One that **needs** features of the log stands in front of the others: the group waits until the log says that it has them, and then that one is nothing.
 *
 * ```
 *    0  frame header   topic: the one that it is about; kind `guard`, or `conflict` where it is what does not hold
 *                      offset, stamped by the writer: that of the message it is about, written now or, under the same id, before;
 *                      of a conflict, what is there instead: the topic's next offset, the register's number
 *   16  what u32       1: value is an offset, 2: value is what a register has to be below, 8: value is a set of features; +4: the id may not be known
 *   20  ahead u32      so many messages of the topic stand in the group in front of the one that this is about
 *   24  value u64
 *   32  windowMs u32   for how long ids of the topic are remembered
 *   36  max u32        and how many
 *   40  tag u32        if +16: of a key, of which nothing may stand in the topic at or past `asOf`; the writer makes it 32 where that may not be so
 *   44  zero u32
 *   48  asOf u64
 *   ..  id             in UTF-8; nothing: none
 * ```
 */
import type { Condition } from '../engine/terms.js'
import type { FeatureSet } from './features.js'
import { frameBytes, frameHeaderBytes, frameKind, frameWord, tailWord } from './frame-layout.js'
import { highWord, joinWords, lowWord } from './numbers.js'

const encoder = new TextEncoder()
const firstOfSeveralBytes = 0x80

const fixedBytes = 24
const whatBit = { offset: 1, below: 2, newId: 4, needs: 8, key: 16, changed: 32 } as const
const keyedBytes = 16
const guardWord = { what: 4, ahead: 5, value: 6, window: 8, max: 9, tag: 10, asOf: 12 } as const

/** What a guard says. */
export interface Guard extends Condition {
  /** Of the key of that message nothing may have been appended at or past an offset. The expected version is what that comes from. */
  readonly unchanged?: UnchangedKey | undefined
}

export interface UnchangedKey {
  readonly tag: number
  readonly asOf: number
}

/** Bytes of the frame. */
export function guardBytes(guard: Guard): number {
  return frameBytes(payloadBytes(guard))
}

function payloadBytes({ id, unchanged }: Guard): number {
  return fixedBytes + (unchanged === undefined ? 0 : keyedBytes) + (id === undefined ? 0 : Buffer.byteLength(id.text))
}

export function writeGuardFrame(
  bytes: Uint8Array,
  words: Uint32Array,
  at: number,
  topic: number,
  guard: Guard,
  flags: number,
): void {
  const { expectedOffset, below, id, unchanged, ahead = 0, isIdNew = false } = guard
  const word = at >>> 2
  const value = expectedOffset ?? below ?? 0
  words[word + frameWord.length] = payloadBytes(guard)
  words[word + frameWord.topic] = topic
  words[word + frameWord.tail] = tailWord(0, frameKind.guard, flags)
  words[word + guardWord.what] =
    (expectedOffset === undefined ? 0 : whatBit.offset) |
    (below === undefined ? 0 : whatBit.below) |
    (isIdNew ? whatBit.newId : 0) |
    (unchanged === undefined ? 0 : whatBit.key)
  words[word + guardWord.ahead] = ahead
  words[word + guardWord.value] = lowWord(value)
  words[word + guardWord.value + 1] = highWord(value)
  words[word + guardWord.window] = id?.windowMs ?? 0
  words[word + guardWord.max] = id?.max ?? 0
  const idAt = at + frameHeaderBytes + fixedBytes + (unchanged === undefined ? 0 : keyedBytes)
  if (unchanged !== undefined) {
    words[word + guardWord.tag] = unchanged.tag
    words[word + guardWord.tag + 1] = 0
    words[word + guardWord.asOf] = lowWord(unchanged.asOf)
    words[word + guardWord.asOf + 1] = highWord(unchanged.asOf)
  }
  if (id !== undefined) writeText(bytes, idAt, id.text)
}

function writeText(bytes: Uint8Array, start: number, text: string): void {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit >= firstOfSeveralBytes) {
      bytes.set(encoder.encode(text), start)
      return
    }
    bytes[start + at] = unit
  }
}

/** The key of which nothing new may be there; undefined: it is about none. */
export function unchangedOf(words: Uint32Array, at: number): UnchangedKey | undefined {
  const word = at >>> 2
  if ((words[word + guardWord.what] & whatBit.key) === 0) return undefined
  return {
    tag: words[word + guardWord.tag],
    asOf: joinWords(words[word + guardWord.asOf], words[word + guardWord.asOf + 1]),
  }
}

/** Of a conflict: something with that key may have come, and who has looked looks again. */
export function isChanged(words: Uint32Array, at: number): boolean {
  return (words[(at >>> 2) + guardWord.what] & whatBit.changed) !== 0
}

/** Before it is stamped as a conflict. */
export function stampChanged(words: Uint32Array, at: number): void {
  words[(at >>> 2) + guardWord.what] |= whatBit.changed
}

/** Bytes of a frame that {@link writeNeedFrame} writes. */
export const needBytes = frameBytes(fixedBytes)

export function writeNeedFrame(words: Uint32Array, at: number, features: FeatureSet, flags: number): void {
  const word = at >>> 2
  words.fill(0, word, (at + needBytes) >>> 2)
  words[word + frameWord.length] = fixedBytes
  words[word + frameWord.tail] = tailWord(0, frameKind.guard, flags)
  words[word + guardWord.what] = whatBit.needs
  words[word + guardWord.value] = features
}

/** What the log has to say that it has, for who waits there; undefined: that is a guard of another kind. */
export function neededBy(words: Uint32Array, at: number): FeatureSet | undefined {
  return valueIf(words, at, whatBit.needs)
}

/** The offset that the message is to get; undefined: any. */
export function expectedOf(words: Uint32Array, at: number): number | undefined {
  return valueIf(words, at, whatBit.offset)
}

/** What the register has to be below; undefined: it is about none. */
export function belowOf(words: Uint32Array, at: number): number | undefined {
  return valueIf(words, at, whatBit.below)
}

function valueIf(words: Uint32Array, at: number, bit: number): number | undefined {
  const word = at >>> 2
  if ((words[word + guardWord.what] & bit) === 0) return undefined
  return joinWords(words[word + guardWord.value], words[word + guardWord.value + 1])
}

/** How many messages of its topic stand in front of the one that it is about. */
export function aheadOf(words: Uint32Array, at: number): number {
  return words[(at >>> 2) + guardWord.ahead]
}

/** Where its bytes stand, and for how long it counts; undefined: none. `isNew`: that it is known is a conflict, and no answer. */
export function idOf(
  words: Uint32Array,
  at: number,
): { from: number; end: number; windowMs: number; max: number; isNew: boolean } | undefined {
  const word = at >>> 2
  const before = fixedBytes + ((words[word + guardWord.what] & whatBit.key) === 0 ? 0 : keyedBytes)
  const end = at + frameHeaderBytes + words[word + frameWord.length]
  const from = at + frameHeaderBytes + before
  if (from === end) return undefined
  const isNew = (words[word + guardWord.what] & whatBit.newId) !== 0
  return { from, end, windowMs: words[word + guardWord.window], max: words[word + guardWord.max], isNew }
}

/** What has become of it. */
export function stampGuard(
  words: Uint32Array,
  at: number,
  kind: typeof frameKind.guard | typeof frameKind.conflict,
  offset: number,
): void {
  const word = at >>> 2
  words[word + frameWord.offsetLow] = lowWord(offset)
  words[word + frameWord.tail] = tailWord(highWord(offset), kind, 0)
}
