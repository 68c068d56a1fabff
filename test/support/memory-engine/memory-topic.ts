/** A topic in an array. */
import type { EngineTopic, KeyedPart, KeyedRange, MessageReader, ReadRange } from '../../../src/engine/engine.js'
import type { Bounds, Condition, Durability, ExpectedVersion, Extras, Payload } from '../../../src/engine/terms.js'
import { conflictError, trimmedError, versionConflict } from '../../../src/failures.js'
import { chunkOf, type LooseMessage } from '../../../src/messages/chunk-builder.js'
import type { ChunkCursor, RecordPlace } from '../../../src/messages/chunk-cursor.js'
import { selected } from '../../../src/messages/selected-records.js'
import { selectionOf } from '../../../src/messages/selection.js'
import type { MemoryEngine } from './memory-engine.js'
import { MemoryGroup } from './memory-group.js'

/** Messages of one chunk: few, so that readers meet many ends of chunks. */
const chunkMessages = 7

export class MemoryTopic implements EngineTopic {
  readonly name: string
  readonly engine: MemoryEngine
  /** Called after each append and trim. */
  readonly onChange = new Set<() => void>()
  mayExpire = false
  readonly #messages: LooseMessage[] = []
  readonly #groups = new Map<string, MemoryGroup>()
  readonly #ids = new Map<string, { offset: number; time: number }>()
  #first = 0

  constructor(name: string, engine: MemoryEngine) {
    this.name = name
    this.engine = engine
  }

  get exists(): boolean {
    return this.#messages.length > 0
  }

  get first(): number {
    return this.#first
  }

  get next(): number {
    return this.#messages.length
  }

  /** The message at an offset within the bounds. */
  at(offset: number): LooseMessage {
    return this.#messages[offset]
  }

  async append(value: Payload, extras: Extras | undefined, _?: Durability, condition?: Condition): Promise<number> {
    return this.#addIf(condition, [asBytes(value)], extras)
  }

  async appendMany(
    values: readonly Payload[],
    extras: Extras | undefined,
    _?: Durability,
    condition?: Condition,
  ): Promise<number> {
    return this.#addIf(condition, values.map(asBytes), extras)
  }

  #addIf(condition: Condition | undefined, values: readonly Uint8Array[], extras: Extras | undefined): number {
    this.engine.checkWritable()
    const { expectedOffset = this.next, id } = condition ?? {}
    const known = id && this.#ids.get(id.text)
    if (id !== undefined && known !== undefined && known.time >= Date.now() - id.windowMs) return known.offset
    if (expectedOffset !== this.next) throw conflictError(this.name, expectedOffset, this.next)
    this.#checkVersion(condition?.expectedVersion, extras?.key)
    const offset = this.#add(values, extras)
    if (id !== undefined) this.#ids.set(id.text, { offset, time: Date.now() })
    return offset
  }

  #checkVersion(expected: ExpectedVersion | undefined, key: Uint8Array | undefined): void {
    if (expected === undefined || key === undefined) return
    const isSame = (its: Uint8Array | undefined) => its !== undefined && Buffer.compare(its, key) === 0
    const last = this.#messages.findLast(({ offset, extras }) => offset >= this.#first && isSame(extras?.key))
    const actual = last?.offset ?? 'none'
    const holds = expected === 'exists' ? last !== undefined : actual === expected
    if (!holds) throw versionConflict(this.name, expected, actual)
  }

  offer(value: Payload, extras: Extras | undefined): boolean {
    this.engine.checkWritable()
    const values = [asBytes(value)]
    if (!this.engine.hasRoom(bytesOf(values, extras))) return false
    this.#add(values, extras)
    return true
  }

  #add(values: readonly Uint8Array[], extras: Extras | undefined): number {
    this.engine.checkWritable()
    this.engine.take(bytesOf(values, extras))
    this.mayExpire ||= extras?.expiresAt !== undefined
    const first = this.next
    const time = Math.max(Date.now(), this.#messages.at(-1)?.time ?? 0)
    // The caller may use its buffers again.
    const own = extras?.key === undefined ? extras : { ...extras, key: new Uint8Array(extras.key) }
    for (const value of values)
      this.#messages.push({ offset: this.next, time, value: new Uint8Array(value), extras: own })
    this.#announceChange()
    return first
  }

  async ready(): Promise<void> {
    this.engine.checkWritable()
    await this.engine.turn()
  }

  async bounds(): Promise<Bounds> {
    return { first: this.#first, next: this.next }
  }

  read(range: ReadRange): MessageReader {
    return new ArrayReader(this, range)
  }

  async records(offsets: readonly number[]): Promise<(RecordPlace | undefined)[]> {
    return offsets.map((offset) => (this.isReadable(offset) ? this.place(offset) : undefined))
  }

  isReadable(offset: number): boolean {
    return offset >= this.#first && offset < this.next && !this.hasExpired(offset)
  }

  hasExpired(offset: number): boolean {
    return (this.at(offset).extras?.expiresAt ?? Number.POSITIVE_INFINITY) <= Date.now()
  }

  /** Whether it has expired or not: that was asked before. */
  place(offset: number): RecordPlace {
    const { extras, ...message } = this.at(offset)
    const cursor = chunkOf([{ ...message, extras: extras && { ...extras, expiresAt: undefined } }])
    cursor.next()
    return cursor
  }

  async keyed(key: Uint8Array, { from, to, max, isReverse }: KeyedRange): Promise<KeyedPart> {
    const first = Math.max(from, this.#first)
    const found = this.#messages.filter(
      ({ offset, extras }) =>
        offset >= first &&
        this.isReadable(offset) &&
        offset < to &&
        extras?.key !== undefined &&
        Buffer.compare(extras.key, key) === 0,
    )
    if (isReverse) found.reverse()
    const records = found.slice(0, max).map(({ offset }) => this.place(offset))
    const last = records.at(-1)
    if (last === undefined || found.length <= max) return { records, from: to, to }
    return isReverse ? { records, from: first, to: last.offset } : { records, from: last.offset + 1, to }
  }

  async offsetAt(time: number): Promise<number> {
    const found = this.#messages.findIndex((message) => message.offset >= this.#first && message.time >= time)
    return found < 0 ? this.next : found
  }

  scan(): Promise<unknown> {
    throw new Error('not supported: nobody asks')
  }

  async trim(before: number): Promise<void> {
    this.engine.checkWritable()
    // A topic that is not there has nothing to lose.
    if (this.exists && before > this.next)
      throw new RangeError(`offset ${before} of topic "${this.name}" is not written yet: the next one is ${this.next}`)
    this.#first = Math.max(this.#first, Math.min(before, this.next))
    this.#announceChange()
  }

  /** Everything is at hand. */
  index(): void {}

  keepState(): () => void {
    return () => {}
  }

  retain(): void {
    throw new Error('not supported: nobody asks')
  }

  get groups(): MemoryGroup[] {
    return [...this.#groups.values()].filter(({ exists }) => exists)
  }

  group(name: string): MemoryGroup {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new MemoryGroup(name, this)
      this.#groups.set(name, group)
    }
    return group
  }

  #announceChange(): void {
    for (const look of [...this.onChange]) look()
  }
}

function asBytes(value: Payload): Uint8Array {
  return typeof value === 'string' ? new TextEncoder().encode(value) : value
}

function bytesOf(values: readonly Uint8Array[], extras: Extras | undefined): number {
  const each = (extras?.key?.length ?? 0) + (extras?.headers?.length ?? 0)
  return values.reduce((sum, { length }) => sum + length + each, 0)
}

class ArrayReader implements MessageReader {
  readonly #topic: MemoryTopic
  readonly #range: ReadRange
  #offset: number
  #isClosed = false
  #wake: (() => void) | undefined

  constructor(topic: MemoryTopic, range: ReadRange) {
    this.#topic = topic
    this.#range = range
    this.#offset = range.from
  }

  async next(): Promise<ChunkCursor | undefined> {
    const { engine, onChange, name } = this.#topic
    const { to, follow } = this.#range
    // Who reads what is all at hand must not keep the event loop from turning.
    await new Promise((resolve) => setImmediate(resolve))
    for (;;) {
      if (this.#isClosed) return undefined
      engine.checkOpen()
      const { first, next } = this.#topic
      if (this.#offset < first) throw trimmedError(name, this.#offset, first)
      const end = Math.min(to, next, this.#offset + chunkMessages)
      if (end > this.#offset) {
        const messages: LooseMessage[] = []
        while (this.#offset < end) messages.push(this.#topic.at(this.#offset++))
        const chunk = chunkOf(messages)
        const selection = selectionOf(this.#range)
        return selection === undefined ? chunk : selected(chunk, selection)
      }
      if (!follow || this.#offset >= to) return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        onChange.add(resolve)
        engine.onClose.add(resolve)
      }).finally(() => {
        const wake = this.#wake as () => void
        onChange.delete(wake)
        engine.onClose.delete(wake)
        this.#wake = undefined
      })
    }
  }

  close(): void {
    this.#isClosed = true
    this.#wake?.()
  }
}
