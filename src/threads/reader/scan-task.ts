/**
 * A scan in one reader thread: the module of the application is called over the ranges that the thread gets hold of, and what it makes of
 * them is put together as far as it stands side by side.
 */
import { threadId } from 'node:worker_threads'
import type { Filter } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import { HeaderMatcher } from '../../messages/header-matcher.js'
import type { MessageSource } from '../../messages/message.js'
import { ChunkBatch, denseBatch, type MessageBatch, sparseBatch } from '../../messages/message-batch.js'
import { SelectedRecords } from '../../messages/selected-records.js'
import type { Decode } from '../../messages/value-coding.js'
import { AbortWord } from '../../ring/abort-word.js'
import { RangeClaims } from '../../ring/range-claims.js'
import type { Chunk, ReadRequest, Resume } from '../../storage/read/chunk.js'
import { decodeOf } from './module-codec.js'
import type { ToldRecords } from './selective-reading.js'

/** What every thread that takes part in a scan is told. */
export interface ScanTask {
  topic: { readonly id: number; readonly name: string }
  ranges: ScanRange[]
  claims: SharedArrayBuffer
  /** How many threads take part. */
  shares: number
  module: string
  abort: SharedArrayBuffer
  /** Only records that match are in the batches; undefined: all. */
  filter?: Filter | undefined
  /** What `map` is given beside the batch. */
  argument?: unknown
}

export interface ScanRange {
  from: number
  to: number
  /** Where its first record stands; undefined: let the index tell. */
  resume: Resume | undefined
}

/** What the scan of neighbouring ranges, from `first` to before `end`, came to. One of all ranges is finished. */
export interface ScanPart {
  first: number
  end: number
  value: unknown
}

interface ScanModule {
  map(batch: MessageBatch<unknown>, argument: unknown): unknown
  reduce(a: unknown, b: unknown): unknown
  /** Undefined: the result is what was reduced. */
  finish: ((result: unknown) => unknown) | undefined
  /** Of values; undefined: they are bytes. */
  decode: Decode<unknown> | undefined
}

/** Where reading goes on behind it, in a log that is read by position. */
type ScanChunk = Omit<Chunk, 'resume'> & { readonly resume: Resume | undefined }

/** Reads into memory that the next call overwrites; with a promise where messages come from elsewhere. */
type ReadBorrowed = (topic: ScanTask['topic'], request: ReadRequest) => ScanChunk | Promise<ScanChunk>

/** What of `[offset, to)` may match a filter, by an index. */
type TellCandidates = (topic: ScanTask['topic'], offset: number, to: number, filter: Filter) => ToldRecords | undefined

export class ScanTasks {
  readonly #read: ReadBorrowed
  readonly #told: TellCandidates
  readonly #modules = new Map<string, Promise<ScanModule>>()

  /** @param told by default no index says what may match */
  constructor(read: ReadBorrowed, told: TellCandidates = () => undefined) {
    this.#told = told
    this.#read = read
  }

  /** @throws `BOOKEND_HANDLER` if the module does not load; what it throws, as it is */
  async run({ topic, ranges, claims, shares, module: url, abort, filter, argument }: ScanTask): Promise<ScanPart[]> {
    const module = await this.#load(url)
    const isAborted = new AbortWord(abort)
    const matcher = filter && new HeaderMatcher(filter)
    const parts: ScanPart[] = []
    for (const index of new RangeClaims(claims).take(threadId % shares, shares)) {
      const value = await this.#scanRange(module, topic, ranges[index], isAborted, matcher, argument)
      if (isAborted.isRaised) return parts
      const last = parts.at(-1)
      // Neighbours are put together here, where their memory is: what is left travels to another thread.
      if (last?.end === index) {
        last.value = await module.reduce(last.value, value)
        last.end = index + 1
      } else parts.push({ first: index, end: index + 1, value })
    }
    const [whole] = parts
    if (whole?.first === 0 && whole.end === ranges.length) whole.value = await finished(module, whole.value)
    return parts
  }

  /** The result of a scan whose parts, in order, came to these values in several threads. */
  async reduce(url: string, values: readonly unknown[]): Promise<unknown> {
    const module = await this.#load(url)
    let result = values[0]
    for (const value of values.slice(1)) result = await module.reduce(result, value)
    return finished(module, result)
  }

  async #scanRange(
    module: ScanModule,
    topic: ScanTask['topic'],
    range: ScanRange,
    abort: AbortWord,
    matcher: HeaderMatcher | undefined,
    argument: unknown,
  ): Promise<unknown> {
    const { from, to } = range
    const source = { topic: topic.name, decode: module.decode }
    let result: unknown
    let isFirst = true
    let { resume } = range
    for (let offset = from; offset < to; ) {
      if (abort.isRaised) return undefined
      const told = matcher && this.#told(topic, offset, to, matcher.filter)
      const read = told ?? this.#read(topic, { topic: topic.id, offset, to, resume })
      const chunk = read instanceof Promise ? await read : read
      const batch =
        matcher === undefined
          ? denseBatch(source, topic.id, chunk.bytes, offset, chunk.next, true)
          : matching(source, topic.id, told ?? chunk, offset, matcher)
      offset = chunk.next
      resume = chunk.resume
      if (batch.length === 0) continue
      let mapped = module.map(batch, argument)
      if (mapped instanceof Promise) mapped = await mapped
      result = isFirst ? mapped : module.reduce(result, mapped)
      if (result instanceof Promise) result = await result
      isFirst = false
    }
    // There is a result of every range.
    return isFirst
      ? module.map(new ChunkBatch(source, topic.id, new Uint8Array(0), from, from, false), argument)
      : result
  }

  #load(url: string): Promise<ScanModule> {
    let loading = this.#modules.get(url)
    if (loading === undefined) {
      loading = loadScanModule(url)
      this.#modules.set(url, loading)
      // A module that failed to load may be mended: do not remember the failure.
      loading.catch(() => this.#modules.delete(url))
    }
    return loading
  }
}

/** In memory of its own: it lasts. */
function matching(
  source: MessageSource<unknown>,
  topic: number,
  chunk: Pick<ScanChunk | ToldRecords, 'bytes' | 'next'> & Partial<Pick<ToldRecords, 'to'>>,
  from: number,
  matcher: HeaderMatcher,
): MessageBatch<unknown> {
  const found = new SelectedRecords(topic, matcher, from)
  if (chunk.to === undefined) found.add(chunk.bytes, chunk.next)
  else found.addSparse(chunk.bytes, chunk.to, chunk.next)
  const { bytes, to } = found.take()
  return sparseBatch(source, topic, bytes, from, to)
}

function finished(module: ScanModule, result: unknown): unknown {
  return module.finish === undefined ? result : module.finish(result)
}

async function loadScanModule(url: string): Promise<ScanModule> {
  let module: Partial<ScanModule> & { codec?: unknown }
  try {
    module = (await import(url)) as Partial<ScanModule> & { codec?: unknown }
  } catch (cause) {
    throw new BookendError('BOOKEND_HANDLER', `the module ${url} does not load: ${String(cause)}`, { cause })
  }
  for (const name of ['map', 'reduce'] as const) {
    if (typeof module[name] === 'function') continue
    throw new BookendError('BOOKEND_HANDLER', `the module ${url} does not export a function "${name}"`)
  }
  if (module.finish !== undefined && typeof module.finish !== 'function')
    throw new BookendError('BOOKEND_HANDLER', `the module ${url} exports a "finish" that is no function`)
  const { map, reduce, finish } = module as ScanModule
  return { map, reduce, finish, decode: decodeOf(url, module, undefined) }
}
