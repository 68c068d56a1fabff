/** A named stream of messages: what the application knows of it. */

import type { Ticket } from '../engine/terms.js'
import type { Message } from '../messages/message.js'
import type { AppendOptions, DeleteOptions } from './append-options.js'
import type { KeyOptions } from './finding/keyed-messages.js'
import type { CountOptions } from './finding/topic-finder.js'
import type { Where } from './finding/where.js'
import type { Group } from './group.js'
import type { ScheduleOptions } from './later/schedule-options.js'
import type { MessageStream } from './message-stream.js'

/** Which messages a stream has. */
export interface ReadOptions {
  /** Where to start: an offset, the oldest readable message (the default), the next to be appended, or a time. */
  from?: number | 'first' | 'next' | Date
  /**
   * End, exclusive: an offset, or a time, at which a stream that follows ends if that lies ahead. Without it: what is there when the stream
   * starts, or no end with `follow`.
   */
  to?: number | Date
  /** Waits for new messages instead of ending. A TypeError on a log opened with `readOnly` and without `follow`, which is seen as it was then. */
  follow?: boolean
  /** Only messages with these headers. They are looked for where the messages are: others are neither sent to this thread nor decoded. */
  where?: Where
  /** Ends the stream with its reason. */
  signal?: AbortSignal
}

/** What goes with `entries()`. */
export interface EntriesOptions {
  /** Ends it with its reason. */
  signal?: AbortSignal
}

/** Which messages a scan looks at. */
export interface ScanOptions {
  /** First offset, or a time; the oldest readable message unless said. */
  from?: number | Date
  /** End, exclusive, as an offset or a time; the next offset at the time of the call unless said. */
  to?: number | Date
  /** Only messages with these headers are in the batches. A range in which none has them is mapped once, as an empty batch. */
  where?: Where
  /** Ends the scan with its reason. */
  signal?: AbortSignal
}

/** What a group is given. */
export interface GroupOptions {
  /**
   * Only messages with these headers: the group passes all others, so it is not behind for them. Not stored: say it each time. A handle
   * that says nothing takes the group as it is in this process.
   */
  where?: Where
}

/**
 * A topic of an open log. Topics come to be with their first append; all methods may be called at any time, in any
 * number. Messages appended from one thread keep the order of the calls, whatever their sizes.
 */
export interface Topic<T> {
  /** Name of the topic. */
  readonly name: string
  /**
   * Appends one message.
   * @returns its offset, once it is as durable as asked for
   * @throws `BOOKEND_TOO_LARGE`, `BOOKEND_NO_SPACE`, `BOOKEND_IO`, `BOOKEND_WORKER`, `BOOKEND_CLOSED`, `BOOKEND_READ_ONLY`;
   *   TypeError and RangeError for bad arguments. With any of them nothing was written; with an AbortError it may have been
   */
  append(value: T, options?: AppendOptions): Promise<number>
  /**
   * A message that is delivered later: it is appended to this topic when it is due, with a normal offset, once, in the order of due times, after any number of crashes. Until
   * then no reader sees it. It comes as soon as the process runs, if that is later; a clock that is put forward is seen within ten seconds.
   * @param options `deliverAt` or `delayMs`; key, headers and id are those of the message
   * @returns its ticket, plain and storable, once it is as durable as asked for
   * @throws as {@link append}; `BOOKEND_UNSUPPORTED`
   */
  schedule(value: T, options: ScheduleOptions): Promise<Ticket>
  /**
   * Takes a scheduled message back, from any thread, and after any number of restarts.
   * @returns true: it will not be delivered. false: it was, or is about to be; or the ticket is of no message of this topic
   * @throws TypeError for what is no ticket; as {@link append}
   */
  cancel(ticket: Ticket): Promise<boolean>
  /**
   * Appends all values or none, with consecutive offsets, whatever happens meanwhile. They must fit one segment.
   * Key and headers, if given, go with each of them.
   */
  appendMany(
    values: readonly T[],
    options?: AppendOptions,
  ): Promise<{
    /** Offset of the first value. */
    first: number
    /** How many there are. */
    count: number
  }>
  /**
   * The fast path: hands the message to the writer, without a promise.
   * @returns false if there is no room now: nothing was taken, see {@link ready}. True does not mean durable: await
   *   `log.flush()` for that. What was offered survives a regular exit of the process, not a `kill -9` within the
   *   microseconds until it is published.
   */
  offer(value: T, options?: AppendOptions): boolean
  /** Resolves when an {@link offer} that was refused can succeed. */
  ready(): Promise<void>
  /** What can be read, as published at this moment. */
  bounds(): Promise<{
    /** The oldest readable offset. */
    first: number
    /** Offset of the next append. */
    next: number
  }>
  /** One message; undefined if it is not written yet, trimmed away, or has expired. @throws `BOOKEND_CORRUPT` */
  get(offset: number): Promise<Message<T> | undefined>
  /** The same for many offsets, in the order asked for. @throws `BOOKEND_CORRUPT` */
  getMany(offsets: readonly number[]): Promise<(Message<T> | undefined)[]>
  /**
   * Messages in order. What is read is published, and so survives the process; it may not be flushed yet.
   * @throws (from the stream) `BOOKEND_TRIMMED` if it starts below the oldest readable offset, `BOOKEND_CORRUPT` where it meets
   *   damage (`next` says where reading can go on), `BOOKEND_CLOSED`
   */
  read(options?: ReadOptions): MessageStream<T>
  /** First offset appended at or after that time; the next offset if there is none. */
  offsetAt(time: Date | number): Promise<number>
  /**
   * Runs a module over the topic, in parallel inside the reader threads, and returns its reduced result.
   * @param module URL or path of a module that exports `map(batch: MessageBatch): R` and `reduce(a: R, b: R): R`. `reduce` must
   *   be associative and may reuse its arguments; the order of ranges is kept. An empty range is mapped once, as an empty batch. If it
   *   exports `finish(result: R)` too, that is called once, with the whole result, in the thread that has it, and what it returns is what
   *   `scan` resolves with: for results that are small, or can travel between threads, only then. What several threads have come
   *   to travels to be reduced before that; the number of threads is theirs to choose
   * @throws `BOOKEND_HANDLER` if the module does not load; what the module throws, with its message; `BOOKEND_CLOSED` if the log is closed meanwhile
   */
  scan<R>(module: URL | string, options?: ScanOptions): Promise<R>
  /**
   * The newest message with that key; undefined: there is none. Keys are compared byte by byte, a string as its UTF-8.
   * @throws `BOOKEND_CORRUPT` where a message cannot be read that may have it, `BOOKEND_UNSUPPORTED`
   */
  last(key: string | Uint8Array): Promise<Message<T> | undefined>
  /**
   * Messages with that key, the newest first unless said: looked for by the index, so nothing else is read.
   * @throws (from the iterator) as {@link last}; `BOOKEND_TRIMMED` below the oldest readable offset
   */
  byKey(key: string | Uint8Array, options?: KeyOptions): AsyncIterableIterator<Message<T>>
  /**
   * Says that there is nothing any more under a key: appends a message with it that has no value, a *tombstone*. Whoever reads gets it like any
   * other, with `tombstone` true; {@link entries} has nothing of the key from then on, until something is appended with it again.
   * @returns its offset
   * @throws as {@link append}
   */
  delete(key: string | Uint8Array, options?: DeleteOptions): Promise<number>
  /**
   * The latest message of every key, in order of their offsets: the state that the topic has come to, at the moment when the iterator is first
   * asked. What is appended meanwhile is not in it. Keys whose latest message is a tombstone are left out, and so are messages without a key.
   * Reads the topic once, and needs memory for each key, about 100 bytes and the key itself; values are fetched as they are asked for.
   * @throws (from the iterator) as {@link read}; `BOOKEND_TRIMMED` where the topic is trimmed under it
   */
  entries(options?: EntriesOptions): AsyncIterableIterator<Message<T>>
  /**
   * How many messages there are. Without `where` nothing has to be read for that, unless some may have expired.
   * @throws `BOOKEND_TRIMMED` below the oldest readable offset; with `where` what reading throws
   */
  count(options?: CountOptions): Promise<number>
  /**
   * Messages below `before` cannot be read any more when this resolves. Their space comes back in whole segments, once no
   * topic needs them.
   * @throws RangeError above the offset of the next append: nothing is trimmed then
   */
  trim(before: number): Promise<void>
  /**
   * A handle on a group of this topic; the group comes to be with its first use.
   * @throws RangeError for a bad name; TypeError if the group has another `where` in this process, or is at work without one
   */
  group(name: string, options?: GroupOptions): Group<T>
}
