/** How far atomic groups reach in a run of frames, and what they take of a segment. */
import {
  flagsOf,
  frameBytes,
  frameFlag,
  frameKind,
  frameWord,
  hasOwnConditions,
  kindOf,
} from '../../format/frame-layout.js'

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

/**
 * The same of all that may be appended together with the first group: groups that follow it, and messages between them, as far as nothing has to be judged.
 * Each is as whole as the first then, since all are appended at one moment or not at all.
 * @param fits what there is room for
 */
export function groupsExtent(
  words: Uint32Array,
  from: number,
  to: number,
  first: GroupExtent,
  fits: (extent: GroupExtent) => boolean,
): GroupExtent {
  let all = first
  for (let at = from + first.bytes; at < to; at = from + all.bytes) {
    const tail = words[(at >>> 2) + frameWord.tail]
    if (kindOf(tail) !== frameKind.data || hasOwnConditions(tail)) break
    const { bytes, records, topics } = groupExtent(words, at, to)
    const more = { bytes: all.bytes + bytes, records: all.records + records, topics: all.topics + topics }
    if (!fits(more)) break
    all = more
  }
  return all
}
