/** A topic whose calls are told to tracing channels, where somebody listens: see tracing.ts. */
import type { Engine } from '../engine/engine.js'
import type { Codec } from '../messages/codec.js'
import type { Message } from '../messages/message.js'
import { type AppendTrace, tracing } from '../tracing.js'
import type { AppendOptions, Dedupe, DeleteOptions } from './append-options.js'
import { LogTopic } from './log-topic.js'
import { withHeaders } from './traced-headers.js'

export class TracedTopic<T> extends LogTopic<T> {
  readonly #log: string

  constructor(engine: Engine, name: string, codec: Codec<T>, dedupe?: Dedupe) {
    super(engine, name, codec, dedupe)
    this.#log = engine.facts.place
  }

  override append(value: T, options?: AppendOptions): Promise<number> {
    if (!tracing.append.start.hasSubscribers) return super.append(value, options)
    const trace = this.#trace(1)
    return tracing.append.tracePromise(() => super.append(value, withHeaders(options, trace)), trace)
  }

  override appendMany(values: readonly T[], options?: AppendOptions): Promise<{ first: number; count: number }> {
    if (!tracing.append.start.hasSubscribers) return super.appendMany(values, options)
    const trace = this.#trace(values?.length ?? 0)
    return tracing.append.tracePromise(() => super.appendMany(values, withHeaders(options, trace)), trace)
  }

  override offer(value: T, options?: AppendOptions): boolean {
    if (!tracing.append.start.hasSubscribers) return super.offer(value, options)
    const trace = this.#trace(1)
    return tracing.append.traceSync(() => super.offer(value, withHeaders(options, trace)), trace)
  }

  override delete(key: string | Uint8Array, options?: DeleteOptions): Promise<number> {
    if (!tracing.append.start.hasSubscribers) return super.delete(key, options)
    const trace = this.#trace(1)
    return tracing.append.tracePromise(() => super.delete(key, withHeaders(options, trace)), trace)
  }

  override get(offset: number): Promise<Message<T> | undefined> {
    if (!tracing.read.start.hasSubscribers) return super.get(offset)
    return tracing.read.tracePromise(() => super.get(offset), { log: this.#log, topic: this.name, count: 1 })
  }

  override getMany(offsets: readonly number[]): Promise<(Message<T> | undefined)[]> {
    if (!tracing.read.start.hasSubscribers) return super.getMany(offsets)
    const trace = { log: this.#log, topic: this.name, count: offsets?.length ?? 0 }
    return tracing.read.tracePromise(() => super.getMany(offsets), trace)
  }

  #trace(count: number): AppendTrace {
    return { log: this.#log, topic: this.name, count, headers: {} }
  }
}
