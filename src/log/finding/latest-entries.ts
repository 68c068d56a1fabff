/** The latest message of every key: what a topic comes to where each message replaces those before it with the same key. */
import { abortable } from '../../abortable.js'
import type { ScanRequest } from '../../engine/engine.js'
import { isTrimmed } from '../../failures.js'
import { fewEntries } from '../../limits.js'
import { hashEnd, latestKeys, latestOffsets, putLatest } from '../../messages/latest-keys.js'
import type { LatestArgument, LatestPart } from '../../messages/latest-module.js'
import type { Message } from '../../messages/message.js'
import { type OffsetBits, OffsetSet } from '../../messages/offset-set.js'

const latestModule = new URL('../../messages/latest-module.js', import.meta.url).href

/** What of a topic is needed. */
export interface EntriesSource<T> {
  bounds(): Promise<{ first: number; next: number }>
  read(options: { from: number; to: number; signal?: AbortSignal | undefined }): AsyncIterable<Message<T>>
}

/** What of an engine is. */
export interface EntriesEngine<T> {
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
  /** What is superseded from now on stays, until that is called which it returns, or for a while. */
  keepState(): () => void
  /** Reads where the messages are; undefined: nobody would. */
  readonly scan: ((request: ScanRequest) => Promise<unknown>) | undefined
  /** Only these messages, in order; those that are not there are left out. */
  picked(range: EntriesRange, only: OffsetBits): AsyncIterable<Message<T>[]>
}

export interface EntriesRange {
  readonly first: number
  readonly next: number
  readonly signal: AbortSignal | undefined
}

/**
 * What there is when it begins is read once, or more often where there are too many keys to be held at once; of it one bit a message is kept. Then it is
 * read once more, the latest ones alone, in order of their offsets. A key whose latest message is a tombstone has none.
 */
export async function* latestEntries<T>(
  topic: EntriesSource<T>,
  { checkOpen, keepState, scan, picked }: EntriesEngine<T>,
  signal?: AbortSignal,
): AsyncGenerator<Message<T>> {
  // Before it is known where it ends: what supersedes others of it then is part of it.
  const release = keepState()
  try {
    const range = { ...(await topic.bounds()), signal }
    const latest = await latestOf(topic, scan, range)
    for (;;)
      try {
        for await (const messages of picked(range, latest.only))
          for (const message of messages) {
            // What was read before the log closed is not handed over behind it.
            checkOpen()
            range.first = message.offset + 1
            yield message
          }
        return
      } catch (error) {
        // What was trimmed meanwhile is no entry any more.
        if (!isTrimmed(error)) throw error
        range.first = Math.max(range.first, (await topic.bounds()).first)
      }
  } finally {
    release()
  }
}

async function latestOf<T>(
  topic: EntriesSource<T>,
  scan: EntriesEngine<T>['scan'],
  { first: oldest, next, signal }: EntriesRange,
): Promise<OffsetSet> {
  const latest = OffsetSet.over(oldest, next)
  for (let from = 0, first = oldest; from < hashEnd && first < next; ) {
    signal?.throwIfAborted()
    const range = { first, next, signal }
    const isScanned = scan !== undefined && next - first >= fewEntries
    try {
      const part = isScanned ? await scanned(scan, range, from) : await read(topic, range, from)
      for (const offset of part.offsets) latest.add(offset)
      from = part.below
    } catch (error) {
      // The oldest segments go once nothing in them counts any more.
      if (!isTrimmed(error)) throw error
      first = (await topic.bounds()).first
    }
  }
  return latest
}

async function scanned(
  scan: NonNullable<EntriesEngine<unknown>['scan']>,
  { first, next, signal }: EntriesRange,
  from: number,
): Promise<LatestPart> {
  const argument: LatestArgument = { from }
  const request = { from: first, to: next, module: latestModule, filter: undefined, argument, signal }
  return abortable(signal, scan(request) as Promise<LatestPart>)
}

async function read<T>(
  topic: EntriesSource<T>,
  { first, next, signal }: EntriesRange,
  from: number,
): Promise<LatestPart> {
  const table = latestKeys(from)
  for await (const { key, offset, tombstone } of topic.read({ from: first, to: next, signal }))
    if (key !== undefined) putLatest(table, key, 0, key.length, offset, tombstone)
  return { offsets: latestOffsets(table), below: table.below }
}
