/** The application's handle on a topic: checks what it is given, and calls the engine. */

import { abortable } from '../abortable.js'
import type { Engine, EngineTopic, ScanRequest } from '../engine/engine.js'
import type { Condition, Payload, PlannedMessage, RepeatRule, Ticket, TransactionParts } from '../engine/terms.js'
import { conflictError } from '../failures.js'
import { bytes, type Codec, codecName } from '../messages/codec.js'
import { unexpired } from '../messages/expiry.js'
import { type Message, StoredMessage } from '../messages/message.js'
import type { OffsetBits } from '../messages/offset-set.js'
import { copyOf, copyOfExtras } from '../messages/own-copies.js'
import { type Decode, decoderOf, encoderOf, lastingEncoderOf } from '../messages/value-coding.js'
import { assertAllAsked, assertAsked, assertBounds, assertOffset } from './answers.js'
import {
  type AppendOptions,
  type CheckedAppendOptions,
  checkAppendOptions,
  checkDeleteOptions,
  checkSize,
  type Dedupe,
  type DeleteOptions,
  hasCondition,
} from './append-options.js'
import type { KeyOptions } from './finding/keyed-messages.js'
import { type EntriesRange, latestEntries } from './finding/latest-entries.js'
import { type CountOptions, TopicFinder } from './finding/topic-finder.js'
import { checkWhere } from './finding/where.js'
import { TopicGroup } from './group.js'
import { checkScheduled, checkTicket, type ScheduleOptions } from './later/schedule-options.js'
import { ChunkedStream, type MessageStream } from './message-stream.js'
import { checkSupported, schedulesOf } from './supported.js'
import type { EntriesOptions, GroupOptions, ReadOptions, ScanOptions, Topic } from './topic.js'
import { utf8 } from './utf8.js'
import {
  checkBoolean,
  checkKeys,
  checkName,
  checkOffset,
  checkPlace,
  checkSignal,
  checkTime,
  moduleUrl,
} from './validate.js'

const noValue = new Uint8Array(0)

export class LogTopic<T> implements Topic<T> {
  readonly name: string
  readonly #engine: Engine
  readonly #topic: EngineTopic
  readonly #codec: Codec<T>
  readonly #finder: TopicFinder<T>
  /** Values are bytes already: the hot path makes no call to find that out. */
  readonly #isBytes: boolean
  readonly dedupe: Dedupe | undefined
  readonly #encode: (value: T) => Payload
  readonly #encodeToKeep: (value: T) => Payload
  /** undefined: values are the bytes themselves. */
  readonly decode: Decode<T> | undefined

  constructor(engine: Engine, name: string, codec: Codec<T>, dedupe?: Dedupe) {
    this.name = name
    this.dedupe = dedupe
    this.#engine = engine
    this.#topic = engine.topic(name)
    this.#codec = codec
    this.#isBytes = (codec as unknown) === bytes
    this.#encode = encoderOf(codec)
    this.#encodeToKeep = lastingEncoderOf(codec)
    this.decode = this.#isBytes ? undefined : decoderOf(codec)
    this.#finder = new TopicFinder(engine, this.#topic, { topic: name, decode: this.decode })
  }

  /** Not an async function: the engine's promise is the caller's, without another one around it. */
  append(value: T, options?: AppendOptions): Promise<number> {
    try {
      const { level, signal, extras, condition } = checkAppendOptions(this.#engine, options, this.dedupe, 'lone')
      const encoded = this.#encode(value)
      checkSize(this.#engine, this.name, encoded, extras)
      return abortable(signal, this.#topic.append(encoded, extras, level, condition))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** For a transaction of `engine`. @throws TypeError if it is another log's topic; what the codec throws; `BOOKEND_TOO_LARGE` */
  prepared(
    engine: Engine,
    value: T,
    { extras, condition }: CheckedAppendOptions,
  ): TransactionParts['messages'][number] {
    if (engine !== this.#engine) throw new TypeError(`topic "${this.name}" is of another log than the transaction`)
    const encoded = this.#encodeToKeep(value)
    checkSize(engine, this.name, encoded, extras)
    // It is written once all is built: the buffers are the caller's again by then.
    return { topic: this.name, value: copyOf(encoded), extras: copyOfExtras(extras), condition }
  }

  /** The bytes of a value, which nobody changes any more. @throws what the codec throws */
  kept(value: T): Uint8Array {
    const encoded = this.#encodeToKeep(value)
    return typeof encoded === 'string' ? utf8(encoded) : new Uint8Array(encoded)
  }

  async schedule(value: T, options: ScheduleOptions): Promise<Ticket> {
    const schedules = schedulesOf(this.#engine, 'scheduled messages')
    const { level, message } = this.#scheduled(value, options)
    this.#engine.checkWritable()
    return schedules.schedule(message, level)
  }

  async cancel(ticket: Ticket): Promise<boolean> {
    const checked = checkTicket(ticket)
    const schedules = schedulesOf(this.#engine, 'scheduled messages')
    this.#engine.checkWritable()
    return schedules.cancel(this.name, checked, this.#engine.facts.durability)
  }

  /** What comes into it by a rule. */
  repeat(
    name: string,
    rule: RepeatRule,
    value: T,
    options: Pick<ScheduleOptions, 'key' | 'headers' | 'durability'>,
    insteadOf: readonly string[] | undefined,
  ): Promise<Ticket> {
    const schedules = schedulesOf(this.#engine, 'scheduled messages')
    const { level, message } = this.#scheduled(value, { ...options, delayMs: 0 })
    this.#engine.checkWritable()
    const { topic, value: encoded, extras } = message
    return schedules.repeat({ name, rule, insteadOf, topic, value: encoded, extras }, level)
  }

  /** For a transaction of `engine`, as {@link prepared}. */
  preparedLater(engine: Engine, value: T, options: ScheduleOptions): PlannedMessage {
    if (engine !== this.#engine) throw new TypeError(`topic "${this.name}" is of another log than the transaction`)
    schedulesOf(engine, 'scheduled messages')
    return this.#scheduled(value, options).message
  }

  async appendMany(values: readonly T[], options?: AppendOptions): Promise<{ first: number; count: number }> {
    if (!Array.isArray(values)) throw new TypeError('appendMany takes an array of values')
    const { level, signal, extras, condition } = checkAppendOptions(this.#engine, options, this.dedupe)
    const encoded: Payload[] = []
    for (const value of values) {
      const each = this.#encodeToKeep(value)
      checkSize(this.#engine, this.name, each, extras)
      encoded.push(each)
    }
    this.#engine.checkOpen()
    if (encoded.length === 0) return { first: await this.#nextIf(condition), count: 0 }
    const first = await abortable(signal, this.#topic.appendMany(encoded, extras, level, condition))
    assertOffset(first)
    return { first, count: encoded.length }
  }

  offer(value: T, options?: AppendOptions): boolean {
    const extras = options === undefined ? undefined : this.#offerOptions(options).extras
    const encoded = this.#isBytes && value instanceof Uint8Array ? value : this.#encode(value)
    checkSize(this.#engine, this.name, encoded, extras)
    return this.#topic.offer(encoded, extras)
  }

  async ready(): Promise<void> {
    return this.#topic.ready()
  }

  async bounds(): Promise<{ first: number; next: number }> {
    this.#engine.checkOpen()
    const bounds = await this.#topic.bounds()
    assertBounds(bounds)
    return bounds
  }

  async get(offset: number): Promise<Message<T> | undefined> {
    checkOffset('offset', offset)
    this.#engine.checkOpen()
    const answer = this.#topic.records([offset])
    // A promise for each of what is at hand would be a good part of what a lookup takes.
    const record = (answer instanceof Promise ? await answer : answer)[0]
    assertAsked(record, offset)
    const found = unexpired(record)
    return found && new StoredMessage({ topic: this.name, decode: this.decode }, found)
  }

  async getMany(offsets: readonly number[]): Promise<(Message<T> | undefined)[]> {
    if (!Array.isArray(offsets)) throw new TypeError('getMany takes an array of offsets')
    for (const offset of offsets) checkOffset('offset', offset)
    this.#engine.checkOpen()
    const source = { topic: this.name, decode: this.decode }
    // What was checked is what is asked for, whatever the caller does with the array meanwhile.
    const asked = [...offsets]
    const records = await this.#topic.records(asked)
    assertAllAsked(records, asked)
    return records.map((record) => {
      const found = unexpired(record)
      return found && new StoredMessage(source, found)
    })
  }

  read(options: ReadOptions = {}): MessageStream<T> {
    checkKeys('read()', options, ['from', 'to', 'follow', 'where', 'signal'])
    const { from = 'first', to, follow = false } = options
    if (from instanceof Date) checkTime('from', from)
    else if (from !== 'first' && from !== 'next') checkOffset("from (an offset, 'first', 'next' or a Date)", from)
    if (to !== undefined) checkPlace('to', to)
    checkBoolean('follow', follow)
    const { isReadOnly, isFollower = false } = this.#engine.facts
    if (follow && isReadOnly && !isFollower)
      throw new TypeError(
        'read({ follow: true }) needs a log that goes on: this one was opened with readOnly and without follow, so it is seen as it was then, and nothing would ever come. Open it with { readOnly: true, follow: true } to see what its owner publishes',
      )
    const filter = checkWhere(options.where)
    const signal = checkSignal(options.signal)
    this.#engine.checkOpen()
    return new ChunkedStream(this.#topic, this.decode, { start: () => this.#start(from), to, follow, signal, filter })
  }

  async offsetAt(time: Date | number): Promise<number> {
    const ms = checkTime('time', time)
    this.#engine.checkOpen()
    const offset = await this.#topic.offsetAt(ms)
    assertOffset(offset)
    return offset
  }

  async scan<R>(module: URL | string, options: ScanOptions = {}): Promise<R> {
    checkKeys('scan()', options, ['from', 'to', 'where', 'signal'])
    const url = moduleUrl(module)
    checkSupported(this.#engine, this.#engine.supports.scan, 'scan()')
    const range = await this.#finder.range(options)
    return abortable(range.signal, this.#topic.scan({ ...range, module: url }) as Promise<R>)
  }

  async last(key: string | Uint8Array): Promise<Message<T> | undefined> {
    return this.#finder.last(key)
  }

  byKey(key: string | Uint8Array, options: KeyOptions = {}): AsyncIterableIterator<Message<T>> {
    return this.#finder.byKey(key, options)
  }

  delete(key: string | Uint8Array, options: DeleteOptions = {}): Promise<number> {
    try {
      const { level, signal, extras, condition } = checkDeleteOptions(this.#engine, key, options, this.dedupe)
      checkSize(this.#engine, this.name, noValue, extras)
      return abortable(signal, this.#topic.append(noValue, extras, level, condition))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  entries(options: EntriesOptions = {}): AsyncIterableIterator<Message<T>> {
    checkKeys('entries()', options, ['signal'])
    const signal = checkSignal(options.signal)
    this.#engine.checkOpen()
    const scan = this.#engine.supports.scan ? (request: ScanRequest) => this.#topic.scan(request) : undefined
    const checkOpen = () => this.#engine.checkOpen()
    const picked = ({ first, next, signal }: EntriesRange, only: OffsetBits) =>
      new ChunkedStream(this.#topic, this.decode, {
        start: async () => first,
        to: next,
        follow: false,
        signal,
        only,
      }).batches()
    return latestEntries(this, { checkOpen, keepState: () => this.#topic.keepState(), scan, picked }, signal)
  }

  async count(options: CountOptions = {}): Promise<number> {
    return this.#finder.count(options)
  }

  async trim(before: number): Promise<void> {
    checkOffset('before', before)
    this.#engine.checkOpen()
    return this.#topic.trim(before)
  }

  group(name: string, options: GroupOptions = {}): TopicGroup<T> {
    checkName('group', name)
    checkKeys('group()', options, ['where'])
    const filter = checkWhere(options.where)
    if (filter !== undefined) checkSupported(this.#engine, this.#engine.supports.filteredGroups, 'where of groups')
    this.#engine.checkOpen()
    return new TopicGroup<T>(this.#engine, this.#topic, { name, filter }, this.decode, codecName(this.#codec))
  }

  #scheduled(value: T, options: ScheduleOptions) {
    return checkScheduled(this.#engine, this.name, () => this.#encodeToKeep(value), options, this.dedupe)
  }

  async #start(from: number | 'first' | 'next' | Date): Promise<number> {
    if (from === 'first' || from === 'next') return (await this.bounds())[from]
    return this.#finder.offsetOf(from)
  }

  #offerOptions(options: AppendOptions) {
    // Before what an engine may not have: for offers none has it.
    if (!hasCondition(options)) return checkAppendOptions(this.#engine, options)
    throw new TypeError(
      'offer() has no options expectedOffset, expectedVersion and id, since nobody would hear the answer: use append()',
    )
  }

  /** Where nothing is appended. */
  async #nextIf(condition: Condition | undefined): Promise<number> {
    if (condition?.expectedVersion !== undefined)
      throw new TypeError('appendMany() takes expectedVersion with one value at least')
    const { next } = await this.bounds()
    const expected = condition?.expectedOffset ?? next
    if (expected === next) return next
    throw conflictError(this.name, expected, next)
  }
}
