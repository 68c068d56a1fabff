/**
 * Tracing channels of Node, for whoever makes spans of what a log does: `tracing:bookend:append` and its like, as
 * `diagnostics_channel.tracingChannel('bookend:append')` has them. Nothing is paid where nobody subscribes: one look at a flag a call,
 * none a message. The context objects below are what subscribers are given; they may be written to, and what is said to travel does.
 */
import diagnostics from 'node:diagnostics_channel'

interface Traced {
  /** Where the log is: its directory, or its URL. */
  log: string
  /** What the call has returned; set by Node at the end. */
  result?: unknown
  /** What the call has thrown; set by Node at the end. */
  error?: unknown
}

/** `tracing:bookend:append`: one call of `append`, `appendMany`, `push` or `offer`. */
export interface AppendTrace extends Traced {
  /** Name of the topic. */
  topic: string
  /** Messages of the call. */
  count: number
  /** Empty. What a subscriber of `start` puts in goes with the messages, under headers of the call: `traceparent`, so that it is there in the handler. */
  headers: Record<string, string>
}

/** `tracing:bookend:read`: one call of `get` or `getMany`. */
export interface ReadTrace extends Traced {
  /** Name of the topic. */
  topic: string
  /** Offsets asked for. */
  count: number
}

/** `tracing:bookend:consume`: one delivery, from when it is handed over (`start`) until it is settled (`asyncEnd`). */
export interface ConsumeTrace extends Traced {
  /** Name of the topic. */
  topic: string
  /** Name of the group. */
  group: string
  /** Of the message. */
  offset: number
  /** 1 for the first delivery. */
  attempt: number
  /** Of the message: `traceparent` as its append has left it. */
  headers: Readonly<Record<string, string>>
  /** How it was settled; undefined before that. */
  outcome?: 'acknowledged' | 'given back'
}

/** `tracing:bookend:process`: one call of a handler, in the handler's thread. */
export interface ProcessTrace {
  /** Name of the topic. */
  topic: string
  /** Name of the group. */
  group: string
  /** 1 for the first delivery. */
  attempt: number
  /** What the handler is given: a batch, whose messages have the headers of their appends; of a function an array with its message. */
  batch: unknown
  /** What the handler has returned; set by Node at the end. */
  result?: unknown
  /** What the handler has thrown; set by Node at the end. */
  error?: unknown
}

/** `tracing:bookend:flush`: one call of `flush`. */
export interface FlushTrace extends Traced {
  /** `process`, `replicated` or `disk`. */
  level: string
}

const channel = <Context extends object>(name: string) => diagnostics.tracingChannel<unknown, Context>(name)

/** Look at `start.hasSubscribers` first: who wants the ends only subscribes to the start as well, as `TracingChannel.subscribe` does. */
export const tracing = {
  append: channel<AppendTrace>('bookend:append'),
  read: channel<ReadTrace>('bookend:read'),
  consume: channel<ConsumeTrace>('bookend:consume'),
  process: channel<ProcessTrace>('bookend:process'),
  flush: channel<FlushTrace>('bookend:flush'),
}
