/**
 * The append side of one topic: a line of what was handed over, of which the first batch is under way, and no other. What comes meanwhile
 * is the next batch. So the order of the calls is the order of the offsets whatever has to be sent again, and the more there is to do, the
 * longer the batches are.
 *
 * What fails for good takes all that waits behind it along: nothing overtakes what may be written yet. A condition that does not hold is no
 * such failure: it is one call's own, whose batch has nobody else's messages. So has that of a call with an id, which is the id of its batch.
 */
import { nuid } from '@nats-io/transport-node'
import { Fifo } from '../../collections/fifo.js'
import type { Condition, MessageId } from '../../engine/terms.js'
import { assert, BookendError } from '../../errors.js'
import { conflictError } from '../../failures.js'
import { apiCodeOf } from '../server/link.js'
import type { TopicStream } from '../server/topic-stream.js'
import type { Outgoing } from '../server/wire.js'
import { writeSteadily } from './steady-write.js'

/** Bytes of a batch, unless one call brings more. */
const batchBytes = 4 << 20
/** What a message takes beside its own bytes, about. */
const messageOverheadBytes = 128
const outOfSpace: ReadonlySet<number | undefined> = new Set([10077, 10047, 10023])
const wrongLast: ReadonlySet<number | undefined> = new Set([10071, 10164])
const tooLarge: ReadonlySet<number | undefined> = new Set([10054, 10199, 10097])

/** One call: all of it goes into one batch. */
interface AppendCall {
  readonly messages: readonly Outgoing[]
  readonly condition?: Condition | undefined
  readonly bytes: number
  resolve(offset: number): void
  reject(error: unknown): void
}

/** Counted for all topics of a log. */
export interface AppendCounters {
  batches: number
  messages: number
  messageBytes: number
  /** Batches that an earlier try had written. */
  found: number
}

export interface LineOptions {
  readonly ringBytes: number
  readonly batchMessages: number
  readonly counters: AppendCounters
  /** Nobody awaits what was lost. */
  onLost(error: unknown, count: number): void
}

interface RoomWaiter {
  resolve(): void
  reject(error: unknown): void
}

export class AppendLine {
  readonly #stream: TopicStream
  readonly #options: LineOptions
  readonly #waiting = new Fifo<AppendCall>()
  /** Of all that waits and is under way. */
  #bytes = 0
  #pending = 0
  #stage: 'idle' | 'sending' = 'idle'
  /** The last offer that found no room. */
  #refusedBytes = 0
  readonly #whenRoom: RoomWaiter[] = []

  constructor(stream: TopicStream, options: LineOptions) {
    this.#stream = stream
    this.#options = options
  }

  get usedBytes(): number {
    return this.#bytes
  }

  /** Calls that have not ended. */
  get pending(): number {
    return this.#pending
  }

  /** @returns the offset of the first message */
  append(messages: readonly Outgoing[], condition?: Condition): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#push({ messages, condition, bytes: bytesOf(messages), resolve, reject }),
    )
  }

  /** @returns false if there is no room */
  offer(message: () => Outgoing, length: number): boolean {
    const bytes = length + messageOverheadBytes
    if (!this.#hasRoom(bytes)) {
      this.#refusedBytes = bytes
      return false
    }
    this.#push({ messages: [message()], bytes, resolve() {}, reject: (error) => this.#options.onLost(error, 1) })
    return true
  }

  /** Resolves when there is room for what was refused last. */
  ready(): Promise<void> {
    if (this.#hasRoom(this.#refusedBytes)) return Promise.resolve()
    return new Promise((resolve, reject) => this.#whenRoom.push({ resolve, reject }))
  }

  /** Everything handed over so far is written. @throws what of it has failed for */
  async flush(): Promise<void> {
    if (this.#stage === 'idle') return
    // In the line like everybody else: a batch of its own, of nothing.
    await new Promise((resolve, reject) => this.#push({ messages: [], bytes: 0, resolve, reject }))
  }

  /** An empty line has room for anything. */
  #hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#options.ringBytes
  }

  #push(entry: AppendCall): void {
    this.#waiting.push(entry)
    this.#bytes += entry.bytes
    this.#pending += 1
    if (this.#stage === 'sending') return
    this.#stage = 'sending'
    // What else this turn of the caller hands over is the same batch.
    queueMicrotask(() => void this.#send())
  }

  async #send(): Promise<void> {
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      const messages = batch.length === 1 ? batch[0].messages : batch.flatMap((entry) => entry.messages)
      try {
        let offset = messages.length === 0 ? 0 : await this.#write(messages, batch[0].condition)
        for (const entry of batch) {
          this.#settle(entry)
          entry.resolve(offset)
          offset += entry.messages.length
        }
      } catch (error) {
        const isConflict = error instanceof BookendError && error.code === 'BOOKEND_CONFLICT'
        for (const entry of isConflict ? batch : [...batch, ...this.#waiting.drain()]) {
          this.#settle(entry)
          entry.reject(error)
        }
      }
      if (this.#hasRoom(this.#refusedBytes)) for (const { resolve } of this.#whenRoom.splice(0)) resolve()
    }
    assert(this.#bytes === 0 && this.#pending === 0, 'a line that is empty holds nothing')
    this.#stage = 'idle'
  }

  #settle({ bytes }: AppendCall): void {
    this.#bytes -= bytes
    this.#pending -= 1
  }

  /** The next batch: whole calls, in their order. */
  #take(): AppendCall[] {
    const taken: AppendCall[] = []
    let count = 0
    let bytes = 0
    for (let entry = this.#waiting.peek(); entry !== undefined; entry = this.#waiting.peek()) {
      count += entry.messages.length
      bytes += entry.bytes
      const isOver = count > this.#options.batchMessages || bytes > batchBytes
      const isApart = entry.condition !== undefined || taken[0]?.condition !== undefined
      if (taken.length > 0 && (isOver || isApart)) break
      taken.push(entry)
      this.#waiting.shift()
    }
    return taken
  }

  async #write(messages: readonly Outgoing[], condition: Condition | undefined): Promise<number> {
    const { topic, subject } = this.#stream
    const { counters } = this.#options
    try {
      await this.#stream.ensure()
      // One id for all tries: that is what makes the second one harmless. One that was given is that of all calls with it.
      const id = condition?.id === undefined ? nuid.next() : idOf(condition.id)
      // A stream's sequences begin at 1: that of the last message is the offset of the next.
      const expectedLast = condition?.expectedOffset
      const batch = { subject, id, messages, expectedLast }
      const { offset, wasFound } = await writeSteadily(this.#stream, `appending to topic "${topic}"`, batch)
      this.#stream.noteWritten(offset + messages.length)
      counters.batches += 1
      counters.messages += messages.length
      for (const { payload } of messages) counters.messageBytes += payload.length
      if (wasFound) counters.found += 1
      return offset
    } catch (error) {
      throw await this.#failure(error, condition)
    }
  }

  async #failure(error: unknown, condition: Condition | undefined): Promise<unknown> {
    const code = apiCodeOf(error)
    if (code === undefined) return error
    const { topic, link } = this.#stream
    if (condition !== undefined && wrongLast.has(code)) {
      const last = /(\d+)$/.exec((error as Error).message)
      const actual = last === null ? (await this.#stream.bounds()).next : Number(last[1])
      return conflictError(topic, condition.expectedOffset ?? actual, actual)
    }
    const message = `the servers at ${link.place} refuse an append to topic "${topic}": ${(error as Error).message}`
    const kind = outOfSpace.has(code) ? 'BOOKEND_NO_SPACE' : tooLarge.has(code) ? 'BOOKEND_TOO_LARGE' : 'BOOKEND_IO'
    return new BookendError(kind, message, { topic, cause: error })
  }
}

/** Headers of NATS are lines of ASCII. Other batches have an id of 22 letters and digits. */
function idOf({ text }: MessageId): string {
  return `id/${Buffer.from(text).toString('base64url')}`
}

function bytesOf(messages: readonly Outgoing[]): number {
  return messages.reduce((sum, { payload }) => sum + payload.length + messageOverheadBytes, 0)
}
