/**
 * Messages for scans, range by range, over a connection of the thread's own, which comes to be with the first range. The reader of a
 * range goes on where its last chunk has ended.
 */
import { BookendError } from '../../errors.js'
import { type ReaderHost, StreamReader } from '../reads/stream-reader.js'
import { Link } from '../server/link.js'
import { LinkEvents } from '../server/link-events.js'
import { TopicStream } from '../server/topic-stream.js'
import type { StreamThreadData } from './thread-data.js'

/** A stretch of messages as scans walk it. */
export interface RangeChunk {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Offset behind its last message. */
  readonly next: number
  readonly resume: undefined
}

/** The range that is being read. */
interface OpenRange {
  readonly topic: string
  readonly to: number
  readonly reader: StreamReader
  /** Where its next chunk begins. */
  at: number
}

export class RangeReading implements ReaderHost {
  readonly maxMessageBytes: number
  /** Nobody closes a log in here: the thread ends with its tasks. */
  readonly onClose = new Set<() => void>()
  readonly #data: StreamThreadData
  readonly #now: () => number
  #link: Promise<Link> | undefined
  #range: OpenRange | undefined

  /** @param now the wall clock */
  constructor(data: StreamThreadData, now: () => number) {
    this.maxMessageBytes = data.maxMessageBytes
    this.#data = data
    this.#now = now
  }

  checkOpen(): void {}

  /** @throws `BOOKEND_TRIMMED`, `BOOKEND_DISCONNECTED`; `BOOKEND_CORRUPT` where the range is not there any more */
  async read(topic: string, offset: number, to: number): Promise<RangeChunk> {
    const known = this.#range
    const range =
      known?.topic === topic && known.at === offset && known.to === to ? known : await this.#begin(topic, offset, to)
    const cursor = await range.reader.next()
    if (cursor === undefined) throw lostEndError(topic, offset, this.#data.place)
    range.at = cursor.end
    if (range.at >= to) this.end()
    return { bytes: cursor.bytes as Uint8Array<ArrayBuffer>, next: cursor.end, resume: undefined }
  }

  /** What is left of a range is not read any more. */
  end(): void {
    this.#range?.reader.close()
    this.#range = undefined
  }

  async #begin(topic: string, from: number, to: number): Promise<OpenRange> {
    this.end()
    const stream = TopicStream.toRead(await this.#connected(), topic, this.#data.log)
    const range = { topic, to, reader: new StreamReader(stream, this, { from, to, follow: false }), at: from }
    this.#range = range
    return range
  }

  #connected(): Promise<Link> {
    if (this.#link === undefined) {
      const link = Link.open(this.#data, new LinkEvents(this.#data.place, this.#now))
      this.#link = link
      // Who comes next tries again.
      link.catch(() => {
        if (this.#link === link) this.#link = undefined
      })
    }
    return this.#link
  }
}

/** What the servers had told to be there, they do not have any more. */
function lostEndError(topic: string, offset: number, place: string): BookendError {
  const message = `topic "${topic}" ends in front of message ${offset}, which was there: the servers at ${place} have lost it`
  return new BookendError('BOOKEND_CORRUPT', message, { topic, offset })
}
