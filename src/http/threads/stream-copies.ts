/**
 * Streams in a thread that has not the registry: copies of what that knows of them, asked for when they are first used and held until they are recalled.
 * By them the thread reads, and appends messages, without asking again; whatever changes more than that is passed on.
 *
 * A copy that is recalled is dropped at once. It has been returned when what was appended by it is in the log: only then what it tells may change.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Log } from '../../log/log.js'
import type { Clocks } from '../clocks.js'
import { HttpError, type Reply } from '../exchange.js'
import type { ChangeRequest } from '../server-parts.js'
import { StreamState } from '../stream-state.js'
import { StreamTopics } from '../stream-topics.js'
import { goneMeanwhile, type Streams } from '../streams.js'
import { Awaited } from './awaited.js'
import type { GivenState, RegistryMessage, ThreadMessage } from './messages.js'
import { Outbox } from './outbox.js'
import { passed } from './passed-change.js'

export interface StreamCopiesParts {
  readonly log: Log
  readonly port: MessagePort
  readonly clocks: Clocks
  readonly maxBodyBytes: number
  /** Told of streams that change in another way than by messages. */
  tell(topic: string): void
}

export class StreamCopies implements Streams {
  readonly topics: StreamTopics
  readonly #parts: StreamCopiesParts
  readonly #outbox: Outbox<ThreadMessage>
  readonly #copies = new Map<string, StreamState>()
  readonly #sources = new WeakMap<StreamState, StreamState>()
  /** Streams that are asked for, by topic. */
  readonly #asked = new Map<string, Promise<StreamState | undefined>>()
  /** Appends under way, by topic. */
  readonly #underWay = new Map<string, number>()
  readonly #recalled = new Set<string>()
  readonly #found = new Awaited<StreamState | undefined>()
  readonly #changed = new Awaited<Reply>()

  constructor(parts: StreamCopiesParts) {
    const { log, port } = parts
    this.#parts = parts
    this.topics = new StreamTopics(log)
    this.#outbox = new Outbox(port)
    port.on('message', (messages: readonly RegistryMessage[]) => {
      for (const message of messages) this.#receive(message)
    })
    port.once('close', () => this.#end())
  }

  async find(name: string, isUse: boolean): Promise<StreamState | undefined> {
    const { clocks } = this.#parts
    const nowMs = clocks.nowMs()
    let stream = this.#copies.get(name)
    // Whether its time is over is known where all uses are known.
    if (stream?.isOver(nowMs, clocks.now())) stream = await this.#ask(name)
    // What was recalled before anybody came to it is asked for anew.
    while (stream === undefined || this.#copies.get(name) !== stream) {
      stream = await this.#ask(name)
      if (stream === undefined) return undefined
    }
    if (isUse && stream.config.ttlSeconds !== undefined) {
      stream.usedMs = nowMs
      this.#outbox.send({ kind: 'used', topic: name })
    }
    return stream
  }

  sourceOf(stream: StreamState): StreamState | undefined {
    return this.#sources.get(stream)
  }

  async append(stream: StreamState, messages: readonly Uint8Array[]): Promise<number> {
    const { topic } = stream
    if (this.#copies.get(topic) !== stream) throw goneMeanwhile()
    // In the same turn as that: it is not returned before this is over.
    this.#underWay.set(topic, (this.#underWay.get(topic) ?? 0) + 1)
    try {
      return await this.topics.append(stream, messages)
    } finally {
      const left = (this.#underWay.get(topic) ?? 1) - 1
      if (left > 0) this.#underWay.set(topic, left)
      else {
        this.#underWay.delete(topic)
        if (this.#recalled.delete(topic)) this.#outbox.send({ kind: 'returned', topic })
      }
    }
  }

  /** Answered in the thread of the registry. */
  async change(request: ChangeRequest): Promise<Reply> {
    const change = await passed(request, this.#parts.maxBodyBytes)
    return this.#changed.answer((number) => this.#outbox.send({ kind: 'change', number, change }))
  }

  close(): void {
    this.#outbox.flush()
    this.#parts.port.close()
  }

  #ask(name: string): Promise<StreamState | undefined> {
    let asked = this.#asked.get(name)
    if (asked === undefined) {
      asked = this.#found.answer((number) => this.#outbox.send({ kind: 'find', number, topic: name }))
      this.#asked.set(name, asked)
      const isOver = () => this.#asked.delete(name)
      asked.then(isOver, isOver)
    }
    return asked
  }

  #receive(message: RegistryMessage): void {
    switch (message.kind) {
      case 'found':
        // Kept at once: a recall may be the next message.
        this.#found.resolve(message.number, this.#keep(message.topic, message.chain))
        return
      case 'refused': {
        const { status, message: text, headers } = message.refusal
        this.#copies.delete(message.topic)
        this.#found.reject(message.number, new HttpError(status, text, headers))
        return
      }
      case 'answer':
        this.#changed.resolve(message.number, message.reply)
        return
      case 'recall':
        this.#recall(message.topic)
    }
  }

  #keep(topic: string, chain: readonly GivenState[]): StreamState | undefined {
    const nowMs = this.#parts.clocks.nowMs()
    let stream: StreamState | undefined
    for (const { topic, state, idleMs } of chain) {
      const next: StreamState = new StreamState(topic, state)
      next.usedMs = nowMs - idleMs
      if (stream !== undefined) this.#sources.set(next, stream)
      stream = next
    }
    if (stream === undefined) this.#copies.delete(topic)
    else this.#copies.set(topic, stream)
    return stream
  }

  #recall(topic: string): void {
    this.#copies.delete(topic)
    if (this.#underWay.has(topic)) this.#recalled.add(topic)
    else this.#outbox.send({ kind: 'returned', topic })
    // Whoever waits asks anew, and is answered when what has changed is in the log.
    this.#parts.tell(topic)
  }

  /** The thread of the registry is gone, or has closed its server. */
  #end(): void {
    this.#copies.clear()
    const error = new HttpError(503, 'the server is about to end', { 'retry-after': '1' })
    this.#found.end(error)
    this.#changed.end(error)
  }
}
