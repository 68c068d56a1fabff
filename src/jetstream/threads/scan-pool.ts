/** Scans of a log on JetStream: threads that read for themselves, started by the first scan, and gone when there was none for a while. */
import { KeepAlive } from '../../dispatcher/keep-alive.js'
import { ReaderPool } from '../../dispatcher/reads/reader-pool.js'
import { type Scan, SharedScans } from '../../dispatcher/reads/shared-scans.js'
import type { ScanRequest } from '../../engine/engine.js'
import type { BookendError } from '../../errors.js'
import { onlyTopic } from '../../messages/chunk-builder.js'
import type { ScanRange } from '../../threads/reader/scan-task.js'
import type { StreamThreadData } from './thread-data.js'

/** Starting a thread takes some tens of milliseconds, and its connection as much again. */
const idleMs = 10_000
// A bare literal: bundlers find the worker by it.
export const streamThread = new URL('../../../workers/jetstream.js', import.meta.url)

export class ScanPool {
  readonly #data: StreamThreadData
  readonly #readers: number
  readonly #scans: SharedScans
  #pool: ReaderPool | undefined

  /** @param readers how many threads share a scan */
  constructor(data: StreamThreadData, readers: number) {
    this.#data = data
    this.#readers = readers
    this.#scans = new SharedScans({
      readers,
      run: (task, signal) => this.#started().run(task, signal),
      cut: evenRanges,
    })
  }

  scan(topic: string, request: ScanRequest): Promise<unknown> {
    return this.#scans.run({ topic: { id: onlyTopic, name: topic }, ...request })
  }

  /** @param closed what scans under way reject with */
  async close(closed: BookendError): Promise<void> {
    await this.#scans.end(closed)
    await this.#pool?.close()
  }

  #started(): ReaderPool {
    const sizes = { maxThreads: this.#readers, idleTimeoutMs: idleMs, maxHeapMb: undefined }
    // The connection of the log keeps the process running for as long as it is open.
    this.#pool ??= new ReaderPool(this.#data, { entry: streamThread, ...sizes }, new KeepAlive(), () => {})
    return this.#pool
  }
}

/** Where messages are any server tells: every cut is as good as another. */
async function evenRanges({ from, to }: Scan, wanted: number): Promise<ScanRange[]> {
  const parts = Math.ceil(wanted)
  const cutAt = (part: number) => from + Math.floor(((to - from) * part) / parts)
  return Array.from({ length: parts }, (_, part) => ({ from: cutAt(part), to: cutAt(part + 1), resume: undefined }))
}
