/** A sealed segment walked once, before what it holds may supersede anything: all of it is there, and these are its tombstones. */
import { type BatchHeader, batchFlag, batchHeaderBytes } from '../../format/batch-layout.js'
import {
  flagsOf,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  kindOf,
  noKey,
  offsetOf,
} from '../../format/frame-layout.js'
import { frameEnd } from '../../format/frame-walk.js'
import { tombstoneHeader } from '../../limits.js'
import type { Window } from '../../memory/memory.js'
import { entriesMatch } from '../index/entries-match.js'
import { sealedBatches } from '../index/sealed-batches.js'
import type { SealedSegment } from '../index/sealed-index.js'

const tombstoneName = Buffer.from(`"${tombstoneHeader}":`)

/** Offsets of tombstones, ascending, by number of the topic. */
export type Tombstones = ReadonlyMap<number, readonly number[]>

/**
 * @param topics that are looked at for tombstones
 * @returns undefined: some of the segment is damaged, or lost
 */
export function* surveySegment(
  window: Window,
  base: number,
  { footer }: SealedSegment,
  topics: ReadonlySet<number>,
): Generator<undefined, Tombstones | undefined> {
  // By the entries, where there is no side index, one finds what has a key.
  if (!entriesMatch(window, footer)) return undefined
  yield
  const found = new Map<number, number[]>()
  let records = 0
  const visit = (bytes: Uint8Array, words: Uint32Array, header: BatchHeader, at: number) => {
    if ((header.flags & batchFlag.gap) !== 0) return false
    const end = at + header.bytes
    let frame = at + batchHeaderBytes
    for (let next = frameEnd(words, frame, end); next > 0; frame = next, next = frameEnd(words, frame, end)) {
      const word = frame >>> 2
      if (kindOf(words[word + frameWord.tail]) !== frameKind.data) continue
      records += 1
      if (!isTombstone(bytes, words, frame)) continue
      const topic = words[word + frameWord.topic]
      if (!topics.has(topic)) continue
      const offset = offsetOf(words[word + frameWord.offsetLow], words[word + frameWord.tail])
      const offsets = found.get(topic)
      if (offsets === undefined) found.set(topic, [offset])
      else offsets.push(offset)
    }
    return frame === end
  }
  const { end } = yield* sealedBatches(window, base, footer.dataEnd, visit)
  return end === 'seal' && records === footer.records ? found : undefined
}

/** A key, no value, and the header that says so. */
function isTombstone(bytes: Uint8Array, words: Uint32Array, frame: number): boolean {
  const word = frame >>> 2
  if ((flagsOf(words[word + frameWord.tail]) & frameFlag.extended) === 0) return false
  const extension = (frame + frameHeaderBytes) >>> 2
  const keyBytes = words[extension]
  const headerBytes = words[extension + 1]
  const length = words[word + frameWord.length]
  if (keyBytes === noKey || headerBytes === 0 || frameExtensionBytes + keyBytes + headerBytes !== length) return false
  const headers = frame + frameHeaderBytes + frameExtensionBytes + keyBytes
  return Buffer.from(bytes.buffer, bytes.byteOffset + headers, headerBytes).includes(tombstoneName)
}
