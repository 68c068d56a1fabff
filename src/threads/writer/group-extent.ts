/** How far an atomic group reaches in a run of frames, and what it takes of a segment. */
import { flagsOf, frameBytes, frameFlag, frameKind, frameWord, kindOf } from '../../format/frame-layout.js'

export interface GroupExtent {
  bytes: number
  records: number
  /** Frames of one topic stand together: there are as many as changes. */
  topics: number
}

/** Of the atomic group (or single frame) that starts at `from`. */
export function groupExtent(words: Uint32Array, from: number, to: number): GroupExtent {
  let at = from
  let records = 0
  let topics = 0
  let topic = -1
  while (at < to) {
    const word = at >>> 2
    const tail = words[word + frameWord.tail]
    at += frameBytes(words[word + frameWord.length])
    if (kindOf(tail) === frameKind.data) records += 1
    if (words[word + frameWord.topic] !== topic) topics += 1
    topic = words[word + frameWord.topic]
    if ((flagsOf(tail) & frameFlag.continues) === 0) break
  }
  return { bytes: at - from, records, topics }
}
