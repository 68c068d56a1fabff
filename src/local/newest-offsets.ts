/**
 * The newest messages of many keys, by as few looks through their topic as it takes: what is asked for together is looked for together, so much of it at a
 * time that it is little memory for whoever looks.
 */

import { type KeyBelow, type PackedKeys, packKeys } from '../collections/packed-keys.js'
import { assert } from '../errors.js'
import type { NewestAnswer } from '../threads/reader/reader.js'

/** Of one look, whatever one key may have. */
const lookFor = { keys: 4_096, bytes: 1 << 20 }

/** Undefined: there is none. @param look one step of a look: see `TopicReads` */
export async function newestOffsets(
  asked: readonly KeyBelow[],
  look: (keys: PackedKeys) => Promise<NewestAnswer>,
  atMost = lookFor,
): Promise<(number | undefined)[]> {
  const found: (number | undefined)[] = []
  for (let from = 0; from < asked.length; ) {
    const end = endOfLook(asked, from, atMost)
    for (const offset of await wholeLook(asked.slice(from, end), look)) found.push(offset)
    from = end
  }
  return found
}

function endOfLook(asked: readonly KeyBelow[], from: number, { keys, bytes }: typeof lookFor): number {
  let end = from + 1
  let length = asked[from].key.length
  while (end < asked.length && end - from < keys && length + asked[end].key.length <= bytes) {
    length += asked[end].key.length
    end += 1
  }
  return end
}

async function wholeLook(
  asked: readonly KeyBelow[],
  look: (keys: PackedKeys) => Promise<NewestAnswer>,
): Promise<(number | undefined)[]> {
  const found: (number | undefined)[] = asked.map(() => undefined)
  for (let open = [...asked.keys()], to = Number.MAX_SAFE_INTEGER; open.length > 0 && to > 0; ) {
    const answer = await look(
      packKeys(open.map((index) => ({ key: asked[index].key, to: Math.min(asked[index].to, to) }))),
    )
    assert(
      answer.to < to && answer.offsets.length === open.length,
      'each step of a look leads further, for all of its keys',
    )
    answer.offsets.forEach((offset, at) => {
      if (offset >= 0) found[open[at]] = offset
    })
    to = answer.to
    open = open.filter((index) => found[index] === undefined)
  }
  return found
}
