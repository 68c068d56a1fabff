/**
 * The guard frame: a condition, in front of the atomic group that is appended only if it holds. In the ring only; the writer judges it when
 * the group's turn has come, so nothing comes between the judgement and the append.
 *
 * ```
 *    0  frame header   topic: the one whose condition it is; kind `guard`, when it does not hold `conflict`
 *                      offset, stamped by the writer: that of the group's first message; of a conflict, the topic's next offset
 *   16  expected u64   the offset that the group's first message is to get
 * ```
 */
import { frameBytes, frameKind, frameWord, tailWord } from './frame-layout.js'
import { highWord, joinWords, lowWord } from './numbers.js'

const payloadBytes = 8
const expectedWord = 4

export const guardBytes = frameBytes(payloadBytes)

export function writeGuardFrame(words: Uint32Array, at: number, topic: number, expected: number, flags: number): void {
  const word = at >>> 2
  words[word + frameWord.length] = payloadBytes
  words[word + frameWord.topic] = topic
  words[word + frameWord.tail] = tailWord(0, frameKind.guard, flags)
  words[word + expectedWord] = lowWord(expected)
  words[word + expectedWord + 1] = highWord(expected)
}

export function expectedOf(words: Uint32Array, at: number): number {
  const word = (at >>> 2) + expectedWord
  return joinWords(words[word], words[word + 1])
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
