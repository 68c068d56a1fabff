/**
 * Carries out read tasks, in a thread that has its `Reading`; where records stand, the `TopicReader` knows. Tasks are synchronous up to the user's own functions,
 * so no window is ever pinned across a turn of the event loop, but for a handler that works on the mapping itself.
 */

import type { PackedKeys } from '../../collections/packed-keys.js'
import type { KeyedRange } from '../../engine/engine.js'
import { assert, BookendError, type PortableError } from '../../errors.js'
import { isTrimmed, trimmedError } from '../../failures.js'
import { type SelectionTerms, selectionOf } from '../../messages/selection.js'
import type { TopicCells } from '../../ring/topic-cells.js'
import type { Catalog } from '../../storage/index/catalog.js'
import type { Resume } from '../../storage/read/chunk.js'
import { joinPieces } from '../../storage/read/chunk-thinning.js'
import type { NewestOffsets } from '../../storage/read/newest-of-keys.js'
import { packIds } from '../../storage/read/packed-ids.js'
import { firstSince, recallPart } from '../../storage/read/recalled-ids.js'
import type { FoundRecords, RecordLookup } from '../../storage/read/record-lookup.js'
import type { TopicReader } from '../../storage/read/topic-reader.js'
import type { HandlerMeans } from './handler.js'
import { HandlerTasks } from './handler-run.js'
import type { HandlerTask } from './handler-task.js'
import { KeyedLooks } from './keyed-looks.js'
import { type ScanPart, type ScanRange, type ScanTask, ScanTasks } from './scan-task.js'
import { SelectiveChunks } from './selective-chunks.js'

/** A topic as tasks name it. */
export interface TopicRef {
  readonly id: number
  readonly name: string
}

export type ReadTask =
  /**
   * With a `count` of chunks that are wanted; fewer come at the end of the range, or in front of what cannot be read. With a filter, or with `only`
   * some offsets, the records that match come alone, in one chunk.
   */
  | ({
      op: 'chunk'
      topic: TopicRef
      offset: number
      to: number
      resume: Resume | undefined
      count?: number | undefined
    } & SelectionTerms)
  /** Numbers in one buffer: copied at once on their way to another thread, where an array goes element by element. */
  | { op: 'records'; topic: TopicRef; offsets: Float64Array<ArrayBuffer> }
  | { op: 'offsetAt'; topic: TopicRef; time: number }
  | { op: 'keyed'; topic: TopicRef; asked: readonly KeyedAsk[] }
  | { op: 'newest'; topic: TopicRef; keys: PackedKeys }
  /** The first part has no offset; the others go on where the last one ended. */
  | { op: 'ids'; topic: TopicRef; since: number; to: number; offset?: number; resume?: Resume | undefined }
  | { op: 'ranges'; topic: TopicRef; from: number; to: number; parts: number }
  | ({ op: 'scan' } & ScanTask)
  | { op: 'reduce'; module: string; parts: unknown[] }
  | ({ op: 'process' } & HandlerTask)

export type ReadAnswer = { value: unknown } | { error: PortableError }

/** Tasks that do nothing but read the log: any thread may run them, and run them again. The others run modules of the application. */
export type LogRead = Extract<
  ReadTask,
  { op: 'chunk' | 'records' | 'offsetAt' | 'keyed' | 'newest' | 'ids' | 'ranges' }
>

type IdsTask = Extract<ReadTask, { op: 'ids' }>

export type ChunkTask = Extract<ReadTask, { op: 'chunk' }>

export interface ChunkAnswer {
  bytes: Uint8Array<ArrayBuffer>
  next: number
  /** Behind the last record in it, where some were left out; undefined: none were. */
  to?: number
  /** undefined: the chunk came out of the ring. */
  resume: Resume | undefined
  /** Those that follow it, where several were asked for. */
  more?: ChunkAnswer[]
}

/** Ids of a topic: see storage/read/packed-ids.ts. At the end of the range there are no more. */
export interface IdsAnswer {
  bytes: Uint8Array<ArrayBuffer>
  next: number
  resume: Resume | undefined
}

/** One-record batches, each where `starts` says; -1 stands for an offset that is not there. */
export type RecordsAnswer = FoundRecords

/** Of many keys: see storage/read/newest-of-keys.ts. */
export type NewestAnswer = NewestOffsets

export interface KeyedAsk {
  readonly key: Uint8Array
  readonly range: KeyedRange
}

/** Records with a key, in the order in which they were wanted, and the offsets that were not looked at yet. */
export interface KeyedAnswer extends RecordsAnswer {
  offsets: number[]
  from: number
  to: number
}

/** Of several keys: each has its part of the bytes, and its starts count from there. */
export interface KeyedAnswers {
  bytes: Uint8Array<ArrayBuffer>
  parts: (Omit<KeyedAnswer, 'bytes'> & { at: number; end: number })[]
}

export class Reader {
  readonly #reader: TopicReader
  readonly #lookup: RecordLookup
  readonly #catalog: Catalog
  readonly #cells: TopicCells
  readonly #trim: () => number
  readonly #look: (() => void) | undefined
  readonly #selective: SelectiveChunks
  readonly #keys: KeyedLooks
  readonly #scans: ScanTasks
  readonly #handlers: HandlerTasks | undefined

  /**
   * @param trim the position below which segments are gone, as this process knows it
   * @param look in a process that follows: has it take in what the owner says now. For who misses something; undefined: all is known here at once
   * @param handlers in a thread of a processor
   */
  constructor(
    reader: TopicReader,
    lookup: RecordLookup,
    catalog: Catalog,
    cells: TopicCells,
    trim: () => number,
    look?: () => void,
    handlers?: HandlerMeans,
  ) {
    this.#look = look
    this.#reader = reader
    this.#lookup = lookup
    this.#trim = trim
    this.#catalog = catalog
    this.#cells = cells
    const guarded = <R>(topic: TopicRef, offset: number, read: () => R): R => this.#guarded(topic, offset, read)
    const one = (topic: TopicRef, offset: number): Uint8Array | undefined => this.#one(topic, offset)
    this.#keys = new KeyedLooks({ reader, cells, guarded, one })
    this.#selective = new SelectiveChunks({ reader, lookup, cells, guarded, one })
    this.#scans = new ScanTasks(
      (topic, request) => this.#guarded(topic, request.offset, () => reader.readBorrowed(request)),
      (topic, offset, to, filter) => this.#selective.told(topic, offset, to, filter),
    )
    if (handlers === undefined) return
    this.#handlers = new HandlerTasks((topic, request, { views, filter }) => {
      const { offset, to } = request
      const told = filter && this.#selective.told(topic, offset, to, filter)
      if (told !== undefined) return { ...told, isSparse: true, release() {} }
      return this.#guarded(topic, offset, () =>
        views === 'mapped' ? reader.readMapped(request) : { ...reader.read(request), release() {} },
      )
    }, handlers)
  }

  async run(task: ReadTask): Promise<unknown> {
    switch (task.op) {
      case 'chunk':
        return this.#chunks(task)
      case 'records':
        return this.#records(task.topic, task.offsets)
      case 'keyed':
        return this.#keys.keyed(task.topic, task.asked)
      case 'newest':
        return this.#keys.newest(task.topic, task.keys)
      case 'offsetAt':
        return this.#offsetAt(task.topic, task.time)
      case 'ids':
        return this.#ids(task)
      case 'ranges':
        return this.#guarded(task.topic, task.from, () => this.#ranges(task.topic.id, task.from, task.to, task.parts))
      case 'scan':
        return this.#scans.run(task) satisfies Promise<ScanPart[]>
      case 'reduce':
        return this.#scans.reduce(task.module, task.parts)
      case 'process':
        assert(this.#handlers !== undefined, 'handlers run in threads of processors')
        return this.#handlers.run(task)
    }
  }

  #chunks(task: ChunkTask): ChunkAnswer {
    const selection = selectionOf(task)
    if (selection !== undefined) return this.#selective.chunk(task, selection)
    const { topic, offset, to, resume, count = 1 } = task
    const read = (request: { offset: number; resume: Resume | undefined }): ChunkAnswer =>
      this.#guarded(topic, request.offset, () => this.#reader.read({ topic: topic.id, to, ...request }))
    const chunk = read({ offset, resume })
    let last = chunk
    const more: ChunkAnswer[] = []
    while (more.length < count - 1 && last.next < to) {
      try {
        last = read({ offset: last.next, resume: last.resume })
      } catch {
        // Who comes for the next one meets it again, and hears of it.
        break
      }
      more.push(last)
    }
    return more.length === 0 ? chunk : { ...chunk, more }
  }

  /** Names the topic in errors, and tells a trim that came in between from damage. */
  #guarded<R>(topic: TopicRef, offset: number, read: () => R, hasLooked = false): R {
    const trim = this.#trim()
    try {
      return read()
    } catch (error) {
      if (!hasLooked) this.#look?.()
      // A segment went, or was written anew, while it was looked for. What could still be read in it stands further on.
      const isOther = this.#trim() !== trim || (this.#look !== undefined && !hasLooked)
      if (isOther && offset >= this.#cells.firstOf(topic.id)) return this.#guarded(topic, offset, read, true)
      const first = this.#cells.firstOf(topic.id)
      if (offset < first) throw trimmedError(topic.name, offset, first)
      if (error instanceof BookendError) Object.assign(error, { topic: topic.name })
      throw failedCallError(error, topic.name, offset)
    }
  }

  #records(topic: TopicRef, asked: Float64Array): RecordsAnswer {
    const offsets = Array.from(asked)
    const { bytes, starts } = this.#lookup.find(topic.id, offsets)
    const pieces: Uint8Array[] = [bytes]
    let end = bytes.length
    const first = this.#cells.firstOf(topic.id)
    const next = this.#cells.nextOf(topic.id)
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
      if (isTrimmed(error)) return undefined
      throw error
    }
  }

  #offsetAt(topic: TopicRef, time: number): number {
    const first = this.#cells.firstOf(topic.id)
    const next = this.#cells.nextOf(topic.id)
    if (first >= next) return next
    return this.#guarded(topic, first, () => this.#reader.offsetAt(topic.id, time, first, next) ?? next)
  }

  #ids({ topic, since, to, offset, resume }: IdsTask): IdsAnswer {
    const first = this.#cells.firstOf(topic.id)
    const from = offset ?? first
    return this.#guarded(topic, from, () => {
      const reader = this.#reader
      const at = offset ?? firstSince(reader, topic.id, first, to, since)
      if (at >= to) return { bytes: packIds([]), next: to, resume: undefined }
      const part = recallPart(reader, topic.id, at, to, since, resume)
      return { bytes: packIds(part.ids), next: part.next, resume: part.resume }
    })
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
