/**
 * The guard frame: a condition, in front of the atomic group that is appended only if it holds. In the ring only; the writer judges it when
 * the group's turn has come, so nothing comes between the judgement and the append.
 *
 * ```
 *    0  frame header   topic: the one whose condition it is; kind `guard`, when it does not hold `conflict`
 *                      offset, stamped by the writer: that of the group's first message, written now or, under the same id, before;
 *                      of a conflict, the topic's next offset
 *   16  expected u64   the offset that the group's first message is to get; all bits set: any
 *   24  windowMs u32   for how long ids of the topic are remembered
 *   28  max u32        and how many
 *   32  id             in UTF-8; nothing: none
 * ```
 */
import type { Condition } from '../engine/terms.js'
import { frameBytes, frameHeaderBytes, frameKind, frameWord, tailWord } from './frame-layout.js'
import { highWord, joinWords, lowWord } from './numbers.js'

const fixedBytes = 16
const anyOffset = 0xffffffff
const expectedWord = 4
const windowWord = 6
const maxWord = 7

/** Bytes of the frame. */
export function guardBytes({ id }: Condition): number {
  return frameBytes(fixedBytes + (id?.bytes.length ?? 0))
}

export function writeGuardFrame(
  bytes: Uint8Array,
  words: Uint32Array,
  at: number,
  topic: number,
  { expectedOffset, id }: Condition,
  flags: number,
): void {
  const word = at >>> 2
  words[word + frameWord.length] = fixedBytes + (id?.bytes.length ?? 0)
  words[word + frameWord.topic] = topic
  words[word + frameWord.tail] = tailWord(0, frameKind.guard, flags)
  words[word + expectedWord] = expectedOffset === undefined ? anyOffset : lowWord(expectedOffset)
  words[word + expectedWord + 1] = expectedOffset === undefined ? anyOffset : highWord(expectedOffset)
  words[word + windowWord] = id?.windowMs ?? 0
  words[word + maxWord] = id?.max ?? 0
  if (id !== undefined) bytes.set(id.bytes, at + frameHeaderBytes + fixedBytes)
}

/** Undefined: any. */
export function expectedOf(words: Uint32Array, at: number): number | undefined {
  const word = (at >>> 2) + expectedWord
  return words[word + 1] === anyOffset ? undefined : joinWords(words[word], words[word + 1])
}

/** Undefined: none. */
export function idOf(
  bytes: Uint8Array,
  words: Uint32Array,
  at: number,
): { id: string; windowMs: number; max: number } | undefined {
  const word = at >>> 2
  const length = words[word + frameWord.length] - fixedBytes
  if (length === 0) return undefined
  const id = Buffer.from(bytes.buffer, bytes.byteOffset + at + frameHeaderBytes + fixedBytes, length).toString('utf8')
  return { id, windowMs: words[word + windowWord], max: words[word + maxWord] }
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
