/** Scans of a log on JetStream: threads that read for themselves, started by the first scan, and gone when there was none for a while. */
import { KeepAlive } from '../../dispatcher/keep-alive.js'
import { ReaderPool } from '../../dispatcher/reads/reader-pool.js'
import { sharedScan } from '../../dispatcher/reads/shared-scan.js'
import { onlyTopic } from '../../messages/chunk-builder.js'
import type { StreamThreadData } from './thread-data.js'

/** Starting a thread takes some tens of milliseconds, and its connection as much again. */
const idleMs = 10_000
// A bare literal: bundlers find the worker by it.
export const streamThread = new URL('../../../workers/jetstream.js', import.meta.url)

export class ScanPool {
  readonly #data: StreamThreadData
  readonly #readers: number
  #pool: ReaderPool | undefined

  /** @param readers how many threads share a scan */
  constructor(data: StreamThreadData, readers: number) {
    this.#data = data
    this.#readers = readers
  }

  scan(topic: string, from: number, to: number, module: string, signal: AbortSignal | undefined): Promise<unknown> {
    const readers = this.#readers
    const sizes = { minThreads: 0, maxThreads: readers, idleTimeoutMs: idleMs, maxHeapMb: undefined }
    // The connection of the log keeps the process running for as long as it is open.
    this.#pool ??= new ReaderPool(this.#data, { entry: streamThread, ...sizes }, new KeepAlive(), () => {})
    const pool = this.#pool
    const scan = { topic: { id: onlyTopic, name: topic }, from, to, module, signal }
    const cut = async (parts: number) => evenRanges(from, to, Math.ceil(parts))
    return sharedScan(scan, { readers, run: (task) => pool.run(task), cut })
  }

  /** When no scan is under way any more. */
  async close(): Promise<void> {
    await this.#pool?.close()
  }
}

/** Where messages are any server tells: every cut is as good as another. */
function evenRanges(from: number, to: number, parts: number): { from: number; to: number; resume: undefined }[] {
  const cutAt = (part: number) => from + Math.floor(((to - from) * part) / parts)
  return Array.from({ length: parts }, (_, part) => ({ from: cutAt(part), to: cutAt(part + 1), resume: undefined }))
}
