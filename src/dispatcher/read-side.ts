/** The read side of the dispatcher: tasks for the reader threads, never a task per message. */
import { batchBytes } from '../format/batch-layout.js'
import { AbortWord } from '../ring/abort-word.js'
import type { ChunkAnswer, OffsetRange, ReadTask, RecordsAnswer } from '../threads/reader.js'
import type { ReaderData } from '../threads/shared-memory.js'
import type { KeepAlive } from './keep-alive.js'
import { ReaderPool } from './reader-pool.js'

/** Several ranges a thread: a thread that finishes early takes the next, and the slowest range costs less. */
const rangesPerReader = 4

interface TopicRef {
  id: number
  name: string
}

export class ReadSide {
  readonly #pool: ReaderPool
  readonly #readers: number
  /** Lookups of one turn of the event loop travel in one task per topic. */
  #lookups = new Map<
    number,
    { topic: TopicRef; offsets: number[]; settle: ((answer: RecordsAnswer | Error, index: number) => void)[] }
  >()

  /** @param onThreadEnd called with each thread that has ended */
  constructor(data: ReaderData, readers: number, keepAlive: KeepAlive, onThreadEnd: (threadId: number) => void) {
    this.#readers = readers
    // An idle worker keeps its windows, indexes and modules; the reaper sees to the memory behind the windows.
    const idleTimeoutMs = Number.POSITIVE_INFINITY
    const options = { minThreads: readers, maxThreads: readers, idleTimeoutMs, maxHeapMb: undefined }
    this.#pool = new ReaderPool(data, options, keepAlive, onThreadEnd)
  }

  get threads(): number {
    return this.#readers
  }

  get running(): number {
    return this.#pool.running
  }

  get taskCount(): number {
    return this.#pool.taskCount
  }

  chunk(task: Omit<Extract<ReadTask, { op: 'chunk' }>, 'op'>): Promise<ChunkAnswer> {
    return this.#run({ op: 'chunk', ...task }) as Promise<ChunkAnswer>
  }

  records(topic: TopicRef, offsets: number[]): Promise<RecordsAnswer> {
    return this.#run({ op: 'records', topic, offsets }) as Promise<RecordsAnswer>
  }

  /** One record; lookups made in the same turn share a task. */
  record(topic: TopicRef, offset: number): Promise<{ bytes: Uint8Array; length: number }> {
    return new Promise((resolve, reject) => {
      let batch = this.#lookups.get(topic.id)
      if (batch === undefined) {
        batch = { topic, offsets: [], settle: [] }
        this.#lookups.set(topic.id, batch)
        if (this.#lookups.size === 1) queueMicrotask(() => this.#sendLookups())
      }
      batch.offsets.push(offset)
      batch.settle.push((answer, index) => {
        if (answer instanceof Error) return reject(answer)
        const bytes = recordIn(answer, index)
        resolve({ bytes, length: bytes.length })
      })
    })
  }

  offsetAt(topic: TopicRef, time: number): Promise<number> {
    return this.#run({ op: 'offsetAt', topic, time }) as Promise<number>
  }

  async scan(
    topic: TopicRef,
    from: number,
    to: number,
    module: string,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const abort = new AbortWord()
    const onAbort = () => abort.raise()
    signal?.addEventListener('abort', onAbort)
    try {
      const parts = this.#readers * rangesPerReader
      const ranges =
        from >= to ? [{ from, to }] : ((await this.#run({ op: 'ranges', topic, from, to, parts })) as OffsetRange[])
      const partial = await Promise.all(
        ranges.map((range) => this.#run({ op: 'scan', topic, ...range, module, abort: abort.shared })),
      ).catch((error) => {
        // The other ranges need not go on.
        onAbort()
        throw error
      })
      signal?.throwIfAborted()
      return partial.length === 1 ? partial[0] : await this.#run({ op: 'reduce', module, parts: partial })
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Resolves when no task is running. */
  idle(): Promise<void> {
    return this.#pool.idle()
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  #sendLookups(): void {
    const lookups = this.#lookups
    this.#lookups = new Map()
    for (const { topic, offsets, settle } of lookups.values()) {
      this.records(topic, offsets).then(
        (answer) => {
          settle.forEach((done, index) => {
            done(answer, index)
          })
        },
        // One damaged record must not fail its neighbours: ask for each by itself.
        (error: Error) => {
          if (offsets.length === 1) return settle[0](error, 0)
          offsets.forEach((offset, index) => {
            this.records(topic, [offset]).then(
              (answer) => settle[index](answer, 0),
              (own: Error) => settle[index](own, 0),
            )
          })
        },
      )
    }
  }

  #run(task: ReadTask): Promise<unknown> {
    return this.#pool.run(task)
  }
}

/** A record of an answer; empty if it is not there. A copy of its own: one kept message must not keep the whole answer. */
function recordIn({ bytes, starts }: RecordsAnswer, index: number): Uint8Array {
  const start = starts[index]
  if (start < 0) return new Uint8Array(0)
  const length = batchBytes(new Uint32Array(bytes.buffer), start)
  return length === bytes.length ? bytes : bytes.slice(start, start + length)
}
