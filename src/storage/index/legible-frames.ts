/**
 * What stands legibly in bytes that fail their checksum: frames that look like some. Hints about what was lost there, never data. One
 * flipped bit leaves all other frames of its batch as they were.
 */
import {
  declaredName,
  declareFixedBytes,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  offsetOf,
} from '../../format/frame-layout.js'
import { hiddenRest, isHiddenTopic, maxStoredNameBytes } from '../../format/hidden-topics.js'
import { alignmentBytes, namePattern } from '../../limits.js'

export interface LegibleFrame {
  topic: number
  /** Of a record; of a declaration, the topic's next one. */
  offset: number
  /** Of a declaration. */
  name: string | undefined
}

const stepBytes = 1 << 20
const wordsPerPlace = alignmentBytes / Uint32Array.BYTES_PER_ELEMENT

/** @param read copies `[at, at + length)` of the segment */
export function* legibleFrames(
  read: (at: number, length: number) => Uint8Array<ArrayBuffer>,
  from: number,
  to: number,
): Generator<LegibleFrame> {
  for (let start = from; start < to; start += stepBytes) {
    const bytes = read(start, Math.min(stepBytes, to - start))
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
    for (let word = 0; word + frameHeaderBytes / 4 <= words.length; word += wordsPerPlace) {
      const tail = words[word + frameWord.tail]
      const kind = kindOf(tail)
      if (kind !== frameKind.data && kind !== frameKind.declare) continue
      const name = kind === frameKind.data ? undefined : nameAt(bytes, words, word)
      if (kind === frameKind.declare && name === undefined) continue
      yield { topic: words[word + frameWord.topic], offset: offsetOf(words[word + frameWord.offsetLow], tail), name }
    }
  }
}

function nameAt(bytes: Uint8Array<ArrayBuffer>, words: Uint32Array, word: number): string | undefined {
  const length = words[word + frameWord.length]
  const payload = word * 4 + frameHeaderBytes
  const end = payload + length
  if (length > declareFixedBytes + maxStoredNameBytes || end > bytes.length) return undefined
  const name = declaredName(bytes, payload, length)
  return namePattern.test(isHiddenTopic(name) ? hiddenRest(name) : name) ? name : undefined
}

/** A name to be read by for a topic whose every declaration is lost: what stands legibly in the damage, unless another topic has it. */
export function nameForLost(topic: number, legible: string | undefined, taken: ReadonlySet<string>): string {
  if (legible !== undefined && !taken.has(legible)) return legible
  let name = `lost-${topic}`
  while (taken.has(name)) name += '-'
  return name
}
