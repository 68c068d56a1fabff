/**
 * Appends that depend on the version of a key, which is the offset of its last message: it is looked up, and the writer is told as of when. It
 * writes only where nothing with that key has come since (threads/writer/keyed-appends.ts); where something may have, it is looked up again. So there is
 * nothing between the last look and the append, and only a real difference is a conflict.
 */
import { ChangedKeyError } from '../dispatcher/appends/changed-key.js'
import type { Condition, Extras } from '../engine/terms.js'
import { assert, BookendError } from '../errors.js'
import { versionConflict } from '../failures.js'
import type { Guard } from '../format/guard-layout.js'
import { tagOf } from '../format/key-tag.js'

/** Where keys are looked up. */
export interface KeyedTopic {
  readonly name: string
  next(): number
  /** Offset of the last message with the key below `to`. */
  lastOf(key: Uint8Array, to: number): Promise<number | undefined>
}

/** A message that is appended, or the first of several. */
export interface VersionedMessage {
  readonly topic: KeyedTopic
  readonly extras: Extras | undefined
  readonly condition: Condition | undefined
}

/** No message gets this one. */
const noOffset = Number.MAX_SAFE_INTEGER

/** @param published resolves when all that this thread has handed over before can be seen */
export async function withVersions<R>(
  messages: readonly VersionedMessage[],
  write: (guards: readonly (Guard | undefined)[]) => Promise<R>,
  published: () => Promise<void>,
): Promise<R> {
  // What was called before comes before, awaited or not.
  await published()
  for (;;) {
    const looked = await Promise.all(messages.map(look))
    const refused = looked.find(({ conflict, guard }) => conflict !== undefined && guard?.id === undefined)
    if (refused?.conflict !== undefined) throw refused.conflict
    try {
      return await write(looked.map(({ guard }) => guard))
    } catch (error) {
      // It was only asked whether the id is known, and it is not.
      const conflict = looked.find((each) => each.conflict !== undefined)?.conflict
      if (conflict !== undefined && error instanceof BookendError && error.code === 'BOOKEND_CONFLICT') throw conflict
      if (!(error instanceof ChangedKeyError)) throw error
    }
  }
}

async function look({
  topic,
  extras,
  condition,
}: VersionedMessage): Promise<{ guard: Guard | undefined; conflict?: Error }> {
  const { expectedVersion: expected, ...guard } = condition ?? {}
  if (expected === undefined) return { guard: condition }
  const { key } = extras ?? {}
  assert(key !== undefined, 'a version is that of a key')
  const tag = tagOf(key)
  // Before the look: what comes after it the writer has to know of.
  const asOf = topic.next()
  const actual = (await topic.lastOf(key, asOf)) ?? 'none'
  const holds = expected === 'exists' ? actual !== 'none' : actual === expected
  // With an id the writer says first whether that is known; the rest does not hold in any case.
  if (!holds)
    return { guard: { ...guard, expectedOffset: noOffset }, conflict: versionConflict(topic.name, expected, actual) }
  // That there is one is so, whatever comes behind it.
  return { guard: expected === 'exists' ? guard : { ...guard, unchanged: { tag, asOf } } }
}
