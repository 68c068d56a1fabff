/**
 * Carries out read tasks, in a thread that has its `Reading`; where records stand, the `TopicReader` knows. Tasks are synchronous up to the user's own functions,
 * so no window is ever pinned across a turn of the event loop, but for a handler that works on the mapping itself.
 */
import { threadId } from 'node:worker_threads'
import { BookendError, type PortableError } from '../../errors.js'
import { trimmedError } from '../../failures.js'
import { ChunkBatch, type MessageBatch } from '../../messages/message-batch.js'
import type { Decode } from '../../messages/value-coding.js'
import { AbortWord } from '../../ring/abort-word.js'
import { RangeClaims } from '../../ring/range-claims.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { Catalog } from '../../storage/index/catalog.js'
import { joinPieces } from '../../storage/read/chunk-thinning.js'
import type { FoundRecords, RecordLookup } from '../../storage/read/record-lookup.js'
import type { Resume, TopicReader } from '../../storage/read/topic-reader.js'
import { type HandlerTask, HandlerTasks } from './handler-task.js'
import { decodeOf } from './module-codec.js'

/** A topic as tasks name it. */
export interface TopicRef {
  readonly id: number
  readonly name: string
}

export type ReadTask =
  | { op: 'chunk'; topic: TopicRef; offset: number; to: number; resume: Resume | undefined }
  | { op: 'records'; topic: TopicRef; offsets: number[] }
  | { op: 'offsetAt'; topic: TopicRef; time: number }
  | { op: 'ranges'; topic: TopicRef; from: number; to: number; parts: number }
  | {
      op: 'scan'
      topic: TopicRef
      ranges: ScanRange[]
      claims: SharedArrayBuffer
      shares: number
      module: string
      abort: SharedArrayBuffer
    }
  | { op: 'reduce'; module: string; parts: unknown[] }
  | ({ op: 'process' } & HandlerTask)

export type ReadAnswer = { value: unknown } | { error: PortableError }

/** Tasks that do nothing but read the log: any thread may run them, and run them again. The others run modules of the application. */
export type LogRead = Extract<ReadTask, { op: 'chunk' | 'records' | 'offsetAt' | 'ranges' }>

type ScanTask = Extract<ReadTask, { op: 'scan' }>

export interface ChunkAnswer {
  bytes: Uint8Array<ArrayBuffer>
  next: number
  /** undefined: the chunk came out of the ring. */
  resume: Resume | undefined
}

/** One-record batches, each where `starts` says; -1 stands for an offset that is not there. */
export type RecordsAnswer = FoundRecords

export interface ScanRange {
  from: number
  to: number
  /** Where its first record stands; undefined: let the index tell. */
  resume: Resume | undefined
}

/** What the scan of neighbouring ranges, from `first` to before `end`, came to. */
export interface ScanPart {
  first: number
  end: number
  value: unknown
}

interface ScanModule {
  map(batch: MessageBatch<unknown>): unknown
  reduce(a: unknown, b: unknown): unknown
  /** Of values; undefined: they are bytes. */
  decode: Decode<unknown> | undefined
}

export class Reader {
  readonly #reader: TopicReader
  readonly #lookup: RecordLookup
  readonly #catalog: Catalog
  readonly #cells: TopicCells
  readonly #trim: () => number
  readonly #modules = new Map<string, Promise<ScanModule>>()
  readonly #handlers: HandlerTasks

  /** @param trim the position below which segments are gone */
  constructor(reader: TopicReader, lookup: RecordLookup, catalog: Catalog, cells: TopicCells, trim: () => number) {
    this.#reader = reader
    this.#lookup = lookup
    this.#trim = trim
    this.#catalog = catalog
    this.#cells = cells
    this.#handlers = new HandlerTasks((topic, request, views) =>
      this.#guarded(topic, request.offset, () =>
        views === 'mapped' ? reader.readMapped(request) : { ...reader.read(request), release() {} },
      ),
    )
  }

  async run(task: ReadTask): Promise<unknown> {
    switch (task.op) {
      case 'chunk':
        return this.#guarded(task.topic, task.offset, () =>
          this.#reader.read({ topic: task.topic.id, offset: task.offset, to: task.to, resume: task.resume }),
        ) satisfies ChunkAnswer
      case 'records':
        return this.#records(task.topic, task.offsets)
      case 'offsetAt':
        return this.#offsetAt(task.topic, task.time)
      case 'ranges':
        return this.#guarded(task.topic, task.from, () => this.#ranges(task.topic.id, task.from, task.to, task.parts))
      case 'scan':
        return this.#scan(task)
      case 'reduce':
        return this.#reduce(await this.#load(task.module), task.parts)
      case 'process':
        return this.#handlers.run(task)
    }
  }

  /** Names the topic in errors, and tells a trim that came in between from damage. */
  #guarded<R>(topic: TopicRef, offset: number, read: () => R): R {
    const trim = this.#trim()
    try {
      return read()
    } catch (error) {
      // A segment went while it was looked for. What could still be read in it stands further on.
      if (this.#trim() !== trim && offset >= this.#cells.first(topic.id).load())
        return this.#guarded(topic, offset, read)
      const first = this.#cells.first(topic.id).load()
      if (offset < first) throw trimmedError(topic.name, offset, first)
      if (error instanceof BookendError) Object.assign(error, { topic: topic.name })
      throw failedCallError(error, topic.name, offset)
    }
  }

  #records(topic: TopicRef, offsets: number[]): RecordsAnswer {
    const { bytes, starts } = this.#lookup.find(topic.id, offsets)
    const pieces: Uint8Array[] = [bytes]
    let end = bytes.length
    const first = this.#cells.first(topic.id).load()
    const next = this.#cells.next(topic.id).load()
    offsets.forEach((offset, index) => {
      const isThere = offset >= first && offset < next
      if (isThere && starts[index] >= 0) return
      const piece = isThere ? this.#one(topic, offset) : undefined
      starts[index] = piece === undefined ? -1 : end
      if (piece === undefined) return
      pieces.push(piece)
      end += piece.length
    })
    return { bytes: pieces.length === 1 ? bytes : joinPieces(pieces), starts }
  }

  #one(topic: TopicRef, offset: number): Uint8Array | undefined {
    try {
      return this.#guarded(topic, offset, () => {
        const piece = this.#reader.readOne(topic.id, offset)
        if (piece === undefined) throw lostError(offset)
        return piece
      })
    } catch (error) {
      if (error instanceof BookendError && error.code === 'BOOKEND_TRIMMED') return undefined
      throw error
    }
  }

  #offsetAt(topic: TopicRef, time: number): number {
    const first = this.#cells.first(topic.id).load()
    const next = this.#cells.next(topic.id).load()
    if (first >= next) return next
    return this.#guarded(topic, first, () => this.#reader.offsetAt(topic.id, time, first, next) ?? next)
  }

  /** Cuts a range into about `parts` disjoint ranges, none across a segment: a mapping serves one task at a time. */
  #ranges(topic: number, from: number, to: number, parts: number): ScanRange[] {
    const stretches = this.#catalog.stretches(topic, from, to)
    const target = Math.max(1, Math.ceil((to - from) / parts))
    const ranges: ScanRange[] = []
    const range = (first: number, end: number) => ({ from: first, to: end, resume: this.#reader.placeOf(topic, first) })
    let at = from
    for (const { end } of stretches) {
      const pieces = Math.max(1, Math.round((end - at) / target))
      const start = at
      for (let piece = 1; piece <= pieces; piece++) {
        const stop = piece === pieces ? end : start + Math.floor(((end - start) * piece) / pieces)
        if (stop > at) ranges.push(range(at, stop))
        at = stop
      }
    }
    // What no segment knows is in the last range, whose scan then says that it is lost.
    if (at < to) ranges.push({ from: at, to, resume: undefined })
    return ranges
  }

  async #scan({ topic, ranges, claims, shares, module: url, abort }: ScanTask): Promise<ScanPart[]> {
    const module = await this.#load(url)
    const isAborted = new AbortWord(abort)
    const parts: ScanPart[] = []
    for (const index of new RangeClaims(claims).take(threadId % shares, shares)) {
      const value = await this.#scanRange(module, topic, ranges[index], isAborted)
      if (isAborted.isRaised) break
      const last = parts.at(-1)
      // Neighbours are put together here, where their memory is: what is left travels to another thread.
      if (last?.end === index) {
        last.value = await module.reduce(last.value, value)
        last.end = index + 1
      } else parts.push({ first: index, end: index + 1, value })
    }
    return parts
  }

  async #scanRange(module: ScanModule, topic: TopicRef, range: ScanRange, abort: AbortWord): Promise<unknown> {
    const { from, to } = range
    const source = { topic: topic.name, decode: module.decode }
    if (from >= to) return module.map(new ChunkBatch(source, topic.id, new Uint8Array(0), from, from, false))
    let result: unknown
    let isFirst = true
    let { resume } = range
    for (let offset = from; offset < to; ) {
      if (abort.isRaised) return undefined
      const chunk = this.#guarded(topic, offset, () =>
        this.#reader.readBorrowed({ topic: topic.id, offset, to, resume }),
      )
      const batch = new ChunkBatch(source, topic.id, chunk.bytes, offset, chunk.next, true)
      let mapped = module.map(batch)
      if (mapped instanceof Promise) mapped = await mapped
      result = isFirst ? mapped : module.reduce(result, mapped)
      if (result instanceof Promise) result = await result
      isFirst = false
      offset = chunk.next
      resume = chunk.resume
    }
    return result
  }

  async #reduce(module: ScanModule, parts: unknown[]): Promise<unknown> {
    let result = parts[0]
    for (const part of parts.slice(1)) result = await module.reduce(result, part)
    return result
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
  const { map, reduce } = module as ScanModule
  return { map, reduce, decode: decodeOf(url, module, undefined) }
}

/** A call to the system that failed: a device, or a limit of the process, which may pass. Anything else comes back as it is. */
function failedCallError(error: unknown, topic: string, offset: number): unknown {
  const { code, errno } = error as NodeJS.ErrnoException
  if (error instanceof BookendError || code === undefined || errno === undefined) return error
  const message = `topic "${topic}" cannot be read at offset ${offset} (${code}): reads go on when that is mended`
  return new BookendError('BOOKEND_IO', message, { topic, offset, cause: error })
}

function lostError(offset: number): BookendError {
  return new BookendError('BOOKEND_CORRUPT', `message ${offset} cannot be delivered: no segment on disk holds it`, {
    offset,
  })
}
