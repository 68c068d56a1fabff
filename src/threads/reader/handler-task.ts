/** What a thread of a processor is given to do, and what it answers. */
import type { HandlerViews } from '../../engine/group-seat.js'
import type { Filter } from '../../engine/terms.js'
import type { PortableError } from '../../errors.js'
import type { CodecName } from '../../messages/codec.js'
import type { HeldChunk, ReadRequest, Resume } from '../../storage/read/chunk.js'

export interface HandlerTask {
  topic: { id: number; name: string }
  from: number
  /** Only messages of this lane, out of so many; one lane: all messages. */
  lane: number
  lanes: number
  batchSize: number
  views: HandlerViews
  module: string
  /** Of the topic, if every thread has it; a codec that the module exports comes first. */
  codec: CodecName | undefined
  group: string
  /** What the group is given; undefined: everything. */
  filter?: Filter | undefined
  /** Which attempt at the messages this is. */
  attempt: number
  /** Of the books by which the messages were leased. */
  generation: number
  /** Messages may say that they have failed before they came: then they are handled one by one, as the attempt behind that. */
  countsRetries?: boolean | undefined
  /** Whoever gave the task says when a call is made again that has failed: it comes back with that. */
  isPaced?: boolean | undefined
  /** Of the message at `from`, which is handled alone then; 0: it is like the others. */
  firstAttempt: number
  /** Where an earlier task over the same topic stopped reading, if it ended at `from`. */
  resume: Resume | undefined
  /** Messages of the range, where the thread has no log to read them from. */
  carried?: CarriedMessages | undefined
  /** Topic that is told what has become of each message. */
  results?: string | undefined
  /** {@link HandlerWords}, which hold `from`, the end of the range, and the end of what is to be handled one by one. */
  words: SharedArrayBuffer
}

export interface HandlerAnswer {
  /** Everything of the task below this offset is handled. */
  done: number
  /** Messages below are still to be handled one by one. */
  aloneTo: number
  /** Messages handled; calls that failed. */
  handled: number
  failed: number
  /** Time the task took, without its waits for more. */
  busyMs: number
  /** Where reading goes on at `done`. */
  resume: Resume | undefined
  end: TaskEnd
}

export type TaskEnd =
  /** The range, the time slice or the demand for this processor is over. */
  | { kind: 'paused' }
  /** What the call for the message at `done` has appended has no room: the call is to be made again. */
  | { kind: 'unwritten'; error: PortableError }
  /** The message at `done` fails alone. */
  | { kind: 'failed'; attempt: number; error: PortableError }
  /** The message at `done` cannot be read; if the error knows of none behind it that can, there was none before `to`. */
  | { kind: 'unreadable'; to: number; error: PortableError }

/** A chunk from the offset that is asked for to the end of the range, in which messages of others are missing. */
export type CarriedMessages = Uint8Array<ArrayBuffer>

export type HandlerChunk = Omit<HeldChunk, 'resume'> & {
  resume: Resume | undefined
  /** What is missing in it is none of the task's. */
  isSparse?: boolean
  /** Behind the last record in it, where those that follow are none of the task's; undefined: it goes as far as `next`. */
  to?: number
}

export type ReadChunk = (
  topic: { id: number; name: string },
  request: ReadRequest,
  options: Pick<HandlerTask, 'views' | 'filter'>,
) => HandlerChunk
