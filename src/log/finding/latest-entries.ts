/** The latest message of every key: what a topic comes to where each message replaces those before it with the same key. */
import { abortable } from '../../abortable.js'
import type { ScanRequest } from '../../engine/engine.js'
import { BookendError } from '../../errors.js'
import { fewEntries } from '../../limits.js'
import { hashEnd, latestKeys, latestOffsets, putLatest } from '../../messages/latest-keys.js'
import type { LatestArgument, LatestPart } from '../../messages/latest-module.js'
import type { Message } from '../../messages/message.js'

const latestModule = new URL('../../messages/latest-module.js', import.meta.url).href

/** What of a topic is needed. */
export interface EntriesSource<T> {
  bounds(): Promise<{ first: number; next: number }>
  read(options: { from: number; to: number; signal?: AbortSignal | undefined }): AsyncIterable<Message<T>>
  getMany(offsets: readonly number[]): Promise<(Message<T> | undefined)[]>
}

/** What of an engine is. */
export interface EntriesEngine {
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
  /** What is superseded from now on stays, until that is called which it returns, or for a while. */
  keepState(): () => void
  /** Reads where the messages are; undefined: nobody would. */
  readonly scan: ((request: ScanRequest) => Promise<unknown>) | undefined
}

interface EntriesRange {
  readonly first: number
  readonly next: number
  readonly signal: AbortSignal | undefined
}

/** Messages that are fetched at a time, at first and later. */
const atOnce = { least: 16, most: 256 }

/**
 * What there is when it begins is read once, or more often where there are too many keys to be held at once; of it one bit a message is kept. The
 * latest ones are fetched then, in order of their offsets. A key whose latest message is a tombstone has none.
 */
export async function* latestEntries<T>(
  topic: EntriesSource<T>,
  { checkOpen, keepState, scan }: EntriesEngine,
  signal?: AbortSignal,
): AsyncGenerator<Message<T>> {
  // Before it is known where it ends: what supersedes others of it then is part of it.
  const release = keepState()
  try {
    const latest = await latestOf(topic, scan, signal)
    for await (const messages of fetched(topic, latest, signal))
      for (const message of messages) {
        // What was fetched before the log closed is not handed over behind it.
        checkOpen()
        yield message
      }
  } finally {
    release()
  }
}

async function latestOf<T>(
  topic: EntriesSource<T>,
  scan: EntriesEngine['scan'],
  signal: AbortSignal | undefined,
): Promise<OffsetBits> {
  const { first: oldest, next } = await topic.bounds()
  const latest = new OffsetBits(oldest, next)
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
      if (!(error instanceof BookendError) || error.code !== 'BOOKEND_TRIMMED') throw error
      first = (await topic.bounds()).first
    }
  }
  return latest
}

async function scanned(
  scan: NonNullable<EntriesEngine['scan']>,
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

/** The next ones are under way while these are looked at. */
async function* fetched<T>(
  topic: EntriesSource<T>,
  latest: OffsetBits,
  signal: AbortSignal | undefined,
): AsyncGenerator<Message<T>[]> {
  const offsets = latest[Symbol.iterator]()
  let count = atOnce.least
  const fetch = async () => {
    const some: number[] = []
    while (some.length < count) {
      const { value, done } = offsets.next()
      if (done === true) break
      some.push(value)
    }
    // What was trimmed or has expired meanwhile is no entry any more.
    return some.length === 0 ? undefined : (await topic.getMany(some)).filter((message) => message !== undefined)
  }
  let ahead = fetch()
  for (;;) {
    signal?.throwIfAborted()
    const messages = await ahead
    if (messages === undefined) return
    count = Math.min(2 * count, atOnce.most)
    ahead = fetch()
    // Nobody may come for it any more.
    ahead.catch(() => {})
    yield messages
  }
}

/** Offsets of a range: one bit each. */
class OffsetBits {
  readonly #first: number
  readonly #words: Uint32Array

  constructor(first: number, next: number) {
    this.#first = first
    this.#words = new Uint32Array(Math.ceil((next - first) / 32))
  }

  add(offset: number): void {
    const bit = offset - this.#first
    this.#words[Math.floor(bit / 32)] |= 1 << (bit % 32)
  }

  /** Ascending. */
  *[Symbol.iterator](): Generator<number, undefined> {
    for (let index = 0; index < this.#words.length; index++)
      for (let left = this.#words[index]; left !== 0; left &= left - 1)
        yield this.#first + 32 * index + 31 - Math.clz32(left & -left)
  }
}
