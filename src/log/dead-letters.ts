/**
 * The box of dead letters: a topic that processors put them into, and a group of it that says which of them are settled.
 *
 * Who settles letters takes them from that group. A letter is appended where it goes and acknowledged in one transaction. Where an engine has none it is appended first, that is flushed,
 * and only then it is acknowledged: a crash in between brings a letter back twice, and never loses one.
 */
import type { Engine, EngineTopic } from '../engine/engine.js'
import type { EngineLease, SubscribeOptions, Subscription } from '../engine/group-seat.js'
import { BookendError } from '../errors.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import { StoredMessage } from '../messages/message.js'
import { assertLeased } from './answers.js'
import { checkSize } from './append-options.js'
import { type DeadLetter, deadLetterOf } from './dead-letter.js'
import { encodeExtras } from './extras.js'
import type { Topic } from './topic.js'
import { undone } from './undone.js'
import { checkKeys, checkName, checkSignal, describe } from './validate.js'

/** The group whose acknowledgements are what was settled: its lag is the number of dead letters. */
export const settlingGroup = 'dead-letters'

/** Which dead letters, and how. */
export interface DeadLetterOptions {
  /** Those of which it returns true; all unless said. Called once for each, in order. */
  filter?: (letter: DeadLetter) => boolean
  /** Ends it with its reason; what was settled before stays so. */
  signal?: AbortSignal
}

/** Which dead letters are brought back, and where to. */
export interface RedriveOptions extends DeadLetterOptions {
  /** Name of the topic to append them to; the one that each comes from unless said. */
  to?: string
}

/** What became of dead letters that were to be brought back. */
export interface RedriveReport {
  /** Appended again. */
  redriven: number
  /** Stood for messages that could not be read: there was nothing to bring back, and they are removed. */
  unreadable: number
}

/** What became of dead letters that were to be discarded. */
export interface DiscardReport {
  /** Removed. */
  discarded: number
}

/** All of them as an array where it is awaited, one after the other where it is iterated. */
export interface DeadLetterList extends PromiseLike<DeadLetter[]>, AsyncIterable<DeadLetter> {}

/**
 * The dead letters of one topic. Messages in it that are none are passed over, and stay.
 *
 * What was settled is remembered by the group `dead-letters` of the topic, and removed from the topic as far as nothing unsettled stands
 * before it.
 */
export interface DeadLetterBox {
  /** Name of the topic. */
  readonly topic: string
  /** Those that were not settled, oldest first: `await` it for an array, or iterate it. Consumes nothing. */
  list(options?: DeadLetterOptions): DeadLetterList
  /**
   * Appends each to the topic it comes from, or to another, behind what is there, as it was: its key, its own headers, its value. It is
   * removed here in the same transaction; on JetStream behind that, and a crash between the two brings it back twice.
   * @throws `BOOKEND_TRIMMED` where the value of one was left out for its size and its message is gone; those before it are settled.
   *   RangeError if `to` is the topic of the dead letters; what `Topic.append` throws
   */
  redrive(options?: RedriveOptions): Promise<RedriveReport>
  /** Removes them, for good. */
  discard(options?: DeadLetterOptions): Promise<DiscardReport>
}

/** Settled together: one flush for all of them. */
const settledTogether = 1_000

/** One pass over all of them: whatever it leaves is given back at its end. */
const settling: SubscribeOptions = {
  from: 'first',
  prefetch: Number.POSITIVE_INFINITY,
  ackTimeoutMs: Number.POSITIVE_INFINITY,
  signal: undefined,
}

interface HeldLetter {
  readonly message: StoredMessage<Uint8Array>
  readonly lease: EngineLease
}

export class TopicDeadLetters implements DeadLetterBox {
  readonly topic: string
  readonly #engine: Engine
  readonly #messages: Topic<Uint8Array>
  readonly #box: EngineTopic
  readonly #topicOf: (name: string) => Topic<Uint8Array>

  constructor(engine: Engine, name: string, topicOf: (name: string) => Topic<Uint8Array>) {
    this.topic = name
    this.#engine = engine
    this.#messages = topicOf(name)
    this.#box = engine.topic(name)
    this.#topicOf = topicOf
  }

  list(options: DeadLetterOptions = {}): DeadLetterList {
    const { filter, signal } = checkOptions('list()', options)
    const letters = () => this.#letters(filter, signal)
    return {
      [Symbol.asyncIterator]: letters,
      // biome-ignore lint/suspicious/noThenProperty: it is awaited for an array
      then: (onList, onFailure) => collected(letters()).then(onList, onFailure),
    }
  }

  async redrive(options: RedriveOptions = {}): Promise<RedriveReport> {
    const { filter, signal } = checkOptions('redrive()', options, 'to')
    const { to } = options
    if (to !== undefined && checkName('topic', to) === this.topic)
      throw new RangeError(`to is another topic than "${to}", which the dead letters are in`)
    const report: RedriveReport = { redriven: 0, unreadable: 0 }
    await this.#settle(filter, signal, async (letter, lease) => {
      if (letter.damagedTo !== undefined) {
        report.unreadable += 1
        return false
      }
      const { key, headers } = letter
      const value = letter.isValueLeftOut ? await this.#original(letter) : letter.value
      const topic = to ?? letter.origin.topic
      const { transactions, facts } = this.#engine
      if (transactions === undefined) await this.#topicOf(topic).append(value, { key, headers })
      else {
        const extras = encodeExtras(key, headers)
        checkSize(this.#engine, topic, value, extras)
        const parts = { messages: [{ topic, value, extras, condition: undefined }], registers: [] }
        await transactions.transact(parts, { leases: [lease], commits: [] }, facts.durability)
      }
      report.redriven += 1
      return transactions !== undefined
    })
    return report
  }

  async discard(options: DeadLetterOptions = {}): Promise<DiscardReport> {
    const { filter, signal } = checkOptions('discard()', options)
    let discarded = 0
    await this.#settle(filter, signal, async () => {
      discarded += 1
      return false
    })
    return { discarded }
  }

  async *#letters(filter: LetterFilter, signal: AbortSignal | undefined): AsyncGenerator<DeadLetter> {
    this.#engine.checkOpen()
    for await (const message of undone(this.#messages, this.#box, settlingGroup, signal)) {
      const letter = deadLetterOf(message)
      if (letter !== undefined && filter(letter)) yield letter
    }
  }

  /** @param settle what has to be done with a letter before it goes. @returns true: it is acknowledged already */
  async #settle(
    filter: LetterFilter,
    signal: AbortSignal | undefined,
    settle: (letter: DeadLetter, lease: EngineLease) => Promise<boolean>,
  ): Promise<void> {
    this.#engine.checkWritable()
    signal?.throwIfAborted()
    const { next: end } = await this.#box.bounds()
    // No letter, no group.
    if (end === 0) return
    const source = { topic: this.topic, decode: undefined }
    const read = (record: RecordPlace, lease: EngineLease): HeldLetter => {
      assertLeased(record, lease)
      return { message: new StoredMessage<Uint8Array>(source, record), lease }
    }
    const seat = this.#box.group(settlingGroup).subscribe(read, settling)
    let settled: EngineLease[] = []
    const acknowledge = async () => {
      const leases = settled
      settled = []
      if (leases.length === 0) return
      // What a letter became is on the device before the letter goes: positions of groups are in another file, and may get there sooner.
      await this.#engine.flush(strongestLevel(this.#engine))
      await Promise.all(leases.map((lease) => lease.acknowledge()))
    }
    try {
      for (let held = await nextOf(seat, end); held !== undefined; held = await nextOf(seat, end)) {
        signal?.throwIfAborted()
        const letter = deadLetterOf(held.message)
        // The others go back with the seat.
        if (letter === undefined || !filter(letter)) continue
        if (await settle(letter, held.lease)) continue
        settled.push(held.lease)
        if (settled.length === settledTogether) await acknowledge()
      }
    } finally {
      await acknowledge().finally(() => seat.close())
      await this.#removeSettled()
    }
  }

  /** As far as nothing unsettled stands before it. */
  async #removeSettled(): Promise<void> {
    const { committed } = await this.#box.group(settlingGroup).position()
    const { first } = await this.#box.bounds()
    if (committed > first) await this.#messages.trim(committed)
  }

  /** The value of a message that had no room beside the headers. */
  async #original({ offset, origin }: DeadLetter): Promise<Uint8Array> {
    const message = await this.#topicOf(origin.topic).get(origin.offset)
    if (message !== undefined) return message.value
    const { topic } = this
    const what = `the value of dead letter ${offset} of topic "${topic}" was left out for its size, and message ${origin.offset} of topic "${origin.topic}" is gone: discard it`
    throw new BookendError('BOOKEND_TRIMMED', what, { topic, offset })
  }
}

type LetterFilter = (letter: DeadLetter) => boolean

function checkOptions(
  what: string,
  options: DeadLetterOptions,
  ...more: string[]
): { filter: LetterFilter; signal: AbortSignal | undefined } {
  checkKeys(what, options, [...more, 'filter', 'signal'])
  const { filter = () => true } = options
  if (typeof filter !== 'function') throw new TypeError(`filter is a function, not ${describe(filter)}`)
  return { filter, signal: checkSignal(options.signal) }
}

async function collected(letters: AsyncIterable<DeadLetter>): Promise<DeadLetter[]> {
  const all: DeadLetter[] = []
  for await (const letter of letters) all.push(letter)
  return all
}

/** What was there when it began; undefined: that was all. */
async function nextOf(seat: Subscription<HeldLetter>, end: number): Promise<HeldLetter | undefined> {
  const held = await seat.next(0, undefined)
  return held !== undefined && held.lease.offset < end ? held : undefined
}

function strongestLevel({ supports, facts }: Engine) {
  return supports.durabilities.at(-1) ?? facts.durability
}
