/**
 * Reads a topic in order, through a consumer of the server that is there for this reader alone, and for as long as it reads. It remembers
 * nothing that matters: where its messages stop coming, or one of them is missing, another is made that begins with the one that is next.
 */
import { AckPolicy, DeliverPolicy, ReplayPolicy } from '@nats-io/jetstream'
import { type Msg, nanos } from '@nats-io/transport-node'
import type { MessageReader, ReadRange } from '../../engine/engine.js'
import { trimmedError } from '../../failures.js'
import { chunkOf, type LooseMessage } from '../../messages/chunk-builder.js'
import type { ChunkCursor } from '../../messages/chunk-cursor.js'
import { selected } from '../../messages/selected-records.js'
import { type RecordSelection, selectionOf } from '../../messages/selection.js'
import { Pull } from '../server/pull.js'
import type { TopicStream } from '../server/topic-stream.js'
import { deliveredOf, incoming } from '../server/wire.js'

/** What a reader needs of its log. */
export interface ReaderHost {
  readonly maxMessageBytes: number
  /** Told when the log closes. */
  readonly onClose: Set<() => void>
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
}

/** Asked for at a time; and no more while so much has come that nobody has taken. */
const batchMessages = 500
const maxWaitingBytes = 1 << 20
/** The server forgets a consumer that nobody has asked for so long. */
const forgottenAfterMs = 60_000

/** `new -> reading -> ended`; with a consumer `reading`, without one `between`, where another is made. */
type Stage = 'new' | 'between' | 'reading' | 'ended'

export class StreamReader implements MessageReader {
  readonly #stream: TopicStream
  readonly #host: ReaderHost
  readonly #range: ReadRange
  /** The servers know nothing of it: what does not match is let go here. */
  readonly #selection: RecordSelection | undefined
  #stage: Stage = 'new'
  /** Offset of the message that comes next from the server. */
  #expected: number
  /** Where it ends, as far as is known: without `follow` that may move. */
  #end = Number.POSITIVE_INFINITY
  #arrived: LooseMessage[] = []
  #arrivedBytes = 0
  #pull: Pull | undefined
  #consumer: string | undefined
  #wake: (() => void) | undefined

  constructor(stream: TopicStream, host: ReaderHost, range: ReadRange) {
    this.#stream = stream
    this.#host = host
    this.#range = range
    this.#selection = selectionOf(range)
    this.#expected = range.from
  }

  async next(): Promise<ChunkCursor | undefined> {
    try {
      for (;;) {
        if (this.#stage === 'ended') return undefined
        this.#host.checkOpen()
        if (this.#stage === 'new' || this.#stage === 'between') await this.#begin()
        const arrived = this.#takeArrived()
        if (arrived !== undefined) return arrived
        if (this.#stage !== 'reading') continue
        if (this.#expected >= this.#end && !(await this.#goesOn())) return this.#over()
        else await this.#wait()
      }
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    if (this.#stage === 'ended') return
    this.#stage = 'ended'
    this.#release()
    this.#wake?.()
  }

  #over(): undefined {
    this.close()
    return undefined
  }

  #takeArrived(): ChunkCursor | undefined {
    if (this.#arrived.length === 0) return undefined
    const messages = this.#arrived
    this.#arrived = []
    this.#arrivedBytes = 0
    this.#ask()
    const chunk = chunkOf(messages)
    return this.#selection === undefined ? chunk : selected(chunk, this.#selection)
  }

  /** A consumer that begins with what is next. */
  async #begin(): Promise<void> {
    const { to, follow } = this.#range
    const { link, topic, name } = this.#stream
    const { first, next } = await this.#stream.bounds()
    if (this.#isEnded()) return
    if (this.#expected < first) throw trimmedError(topic, this.#expected, first)
    this.#end = follow ? to : Math.min(to, next)
    this.#stage = 'reading'
    if (this.#expected >= this.#end) return
    // A stream to wait for; the topic comes to be with its first message all the same.
    if (follow) await this.#stream.ensure()
    const { name: consumer } = await link.trying(`reading topic "${topic}"`, () =>
      link.jsm.consumers.add(name, {
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: this.#expected + 1,
        ack_policy: AckPolicy.None,
        replay_policy: ReplayPolicy.Instant,
        inactive_threshold: nanos(forgottenAfterMs),
        num_replicas: 1,
        mem_storage: true,
      }),
    )
    this.#consumer = consumer
    // It was closed while the server made it.
    if (this.#isEnded()) return this.#release()
    this.#pull = new Pull(link, name, consumer, this.#host.maxMessageBytes, {
      onMessage: (message) => this.#receive(message),
      onExpired: () => this.#ask(),
      onLost: () => this.#lose(),
    })
    this.#ask()
  }

  #isEnded(): boolean {
    return this.#stage === 'ended'
  }

  #receive(message: Msg): void {
    const { offset, time } = deliveredOf(message)
    if (offset !== this.#expected) {
      // One is missing: it was lost on its way, or trimmed away. Whoever begins anew finds out.
      if (offset > this.#expected) this.#lose()
      return
    }
    if (offset >= this.#end) return
    const { data } = message
    this.#expected = offset + 1
    this.#arrived.push(incoming(offset, time, data, message.headers))
    this.#arrivedBytes += data.length
    this.#ask()
    this.#wake?.()
  }

  /** One request at a time: the server owes no more than its bytes, whatever the messages are. */
  #ask(): void {
    if (this.#pull === undefined || this.#pull.asked > 0 || this.#arrivedBytes > maxWaitingBytes) return
    const left = this.#end - this.#expected
    if (left > 0) this.#pull.ask(Math.min(batchMessages, left))
  }

  #lose(): void {
    if (this.#stage !== 'reading') return
    this.#stage = 'between'
    this.#release()
    this.#wake?.()
  }

  #release(): void {
    this.#pull?.close()
    this.#pull = undefined
    const consumer = this.#consumer
    this.#consumer = undefined
    // It would go by itself, later.
    if (consumer !== undefined && this.#stream.link.isUp)
      this.#stream.link.jsm.consumers.delete(this.#stream.name, consumer).catch(() => {})
  }

  /** At the end of what was there: without `follow`, is there more by now? */
  async #goesOn(): Promise<boolean> {
    const { to, follow } = this.#range
    if (follow || this.#expected >= to) return false
    const { next } = await this.#stream.bounds()
    if (next <= this.#expected || this.#isEnded()) return false
    this.#lose()
    return true
  }

  async #wait(): Promise<void> {
    if (this.#stage !== 'reading' || this.#arrived.length > 0) return
    const { onClose } = this.#host
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      onClose.add(resolve)
    }).finally(() => {
      onClose.delete(this.#wake as () => void)
      this.#wake = undefined
    })
  }
}
