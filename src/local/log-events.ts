/** What happens to a log, told to whoever listens: diagnostics channels, `NODE_DEBUG=bookend`, and the count of errors in `stats()`. */
import diagnostics from 'node:diagnostics_channel'
import { debuglog } from 'node:util'
import { BookendError } from '../errors.js'
import type { ReaperEvent } from '../threads/reaper/reaper-event.js'

const debug = debuglog('bookend')
const channels = {
  append: diagnostics.channel('bookend:append'),
  flush: diagnostics.channel('bookend:flush'),
  segment: diagnostics.channel('bookend:segment'),
  group: diagnostics.channel('bookend:group'),
  error: diagnostics.channel('bookend:error'),
}

export class LogEvents {
  readonly #directory: string
  readonly #segmentBytes: number
  #errorCount = 0
  #lastError: string | undefined

  constructor(directory: string, segmentBytes: number) {
    this.#directory = directory
    this.#segmentBytes = segmentBytes
  }

  /** As in `stats()`. */
  get errors(): { count: number; last: string | undefined } {
    return { count: this.#errorCount, last: this.#lastError }
  }

  /** False: nobody wants to know, and {@link append} costs nothing if it is not called. */
  get wantsAppends(): boolean {
    return channels.append.hasSubscribers
  }

  /** An append is told when it is acknowledged. */
  append(topic: string, count: number, bytes: number, done: Promise<number>): void {
    const directory = this.#directory
    const start = performance.now()
    done.then(
      (offset) => {
        channels.append.publish({ directory, topic, offset, count, bytes, ms: performance.now() - start })
      },
      // The caller has the error.
      () => {},
    )
  }

  error(code: string, message: string, more: object = {}): void {
    this.#errorCount += 1
    this.#lastError = code
    debug('%s: %s', code, message)
    if (channels.error.hasSubscribers) channels.error.publish({ directory: this.#directory, code, message, ...more })
  }

  /** A processor has ended by itself. What a handler throws need not have a code, and is none of ours if it has. */
  processor(topic: string, group: string, error: Error): void {
    const code = error instanceof BookendError ? error.code : 'BOOKEND_HANDLER'
    const message = `the processor of group "${group}" of topic "${topic}" has stopped: ${error.name}: ${error.message}`
    this.error(code, message, { topic, group, error })
  }

  /** A group was moved on, because what it had not seen yet is gone. */
  skipped(topic: string, group: string, skipped: number, first: number): void {
    if (channels.group.hasSubscribers)
      channels.group.publish({ directory: this.#directory, topic, group, skipped, first })
  }

  /** For `NODE_DEBUG` only. */
  note(when: string, error: unknown): void {
    debug('%s: %s', when, error)
  }

  reaper(event: ReaperEvent): void {
    debug('%o', event)
    const directory = this.#directory
    if (event.type === 'error') this.error(event.code, `${event.what} failed: ${event.code}`)
    else if (event.type === 'flushed') {
      if (channels.flush.hasSubscribers) channels.flush.publish({ directory, ...event })
    } else if (event.type !== 'moved' && channels.segment.hasSubscribers) {
      channels.segment.publish({ directory, type: event.type, position: event.segment * this.#segmentBytes })
    }
  }
}
