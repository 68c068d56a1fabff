/** A sorted run of entries in `.due`, of which one page is in memory. See format/due-layout.ts. */
import type { EngineTopic } from '../engine/engine.js'
import { BookendError } from '../errors.js'
import { decodeNumbers, encodeNumbers, entryNumbers, fenceNumbers } from '../format/due-layout.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import { StoredMessage } from '../messages/message.js'
import { entryAt } from './due-heap.js'
import { comparePlaces, type DueEntry, type DuePlace } from './due-order.js'

/** Where a run stands, as the manifest has it. */
export interface RunPlace {
  /** Offset of its fences. */
  readonly fences: number
  readonly pages: number
  /** The lowest offset of a record in it. */
  readonly since: number
}

/** What a run is read from: only `.due` is asked. */
export type RunTopic = Pick<EngineTopic, 'records'>

/** Something of a run is not there, or not what it should be. All of it is in `.later` as well. */
export class UnreadableRun extends Error {}

/** @param sorted as in pages. @returns fences and pages, as they are appended. */
export function encodeRun(sorted: Float64Array, perPage: number): Uint8Array[] {
  const fences: number[] = []
  const pages: Uint8Array[] = []
  for (let start = 0; start < sorted.length; start += perPage * entryNumbers) {
    fences.push(sorted[start], sorted[start + 1])
    pages.push(encodeNumbers(sorted.subarray(start, start + perPage * entryNumbers)))
  }
  return [encodeNumbers(fences), ...pages]
}

export class DueRun {
  readonly place: RunPlace
  readonly #topic: RunTopic
  #page: number
  #numbers: Float64Array = new Float64Array(0)
  #at = 0
  #next: DueEntry | undefined

  private constructor(topic: RunTopic, place: RunPlace, page: number) {
    this.#topic = topic
    this.place = place
    this.#page = page
  }

  /** Before its first entry. @param first page of it */
  static start(topic: RunTopic, place: RunPlace, first: Float64Array): DueRun {
    const run = new DueRun(topic, place, 0)
    run.#numbers = first
    run.#read()
    return run
  }

  /** Before the first entry behind `mark`. @throws {@link UnreadableRun} */
  static async behind(topic: RunTopic, place: RunPlace, mark: DuePlace): Promise<DueRun> {
    const fences = await numbersAt(topic, place.fences)
    if (fences.length !== place.pages * fenceNumbers) throw new UnreadableRun('its fences are not those of its pages')
    let page = 0
    while (page + 1 < place.pages && comparePlaces(fenceAt(fences, page + 1), mark) <= 0) page += 1
    const run = new DueRun(topic, place, page)
    await run.#load()
    while (run.next !== undefined && comparePlaces(run.next, mark) <= 0) await run.advance()
    return run
  }

  /** The least that was not passed yet; undefined: that was all. */
  get next(): DueEntry | undefined {
    return this.#next
  }

  /** Passes {@link next}. A promise: {@link next} says nothing until it has resolved. @throws (by it) {@link UnreadableRun} */
  advance(): Promise<void> | undefined {
    this.#at += entryNumbers
    if (this.#at >= this.#numbers.length) {
      this.#page += 1
      return this.#load()
    }
    this.#read()
    return undefined
  }

  /** How many pages have entries that are left. */
  get pagesLeft(): number {
    return this.place.pages - this.#page
  }

  async #load(): Promise<void> {
    this.#at = 0
    const { fences, pages } = this.place
    // The page behind the fences is the first.
    this.#numbers = this.#page < pages ? await numbersAt(this.#topic, fences + 1 + this.#page) : new Float64Array(0)
    const isWhole = this.#numbers.length % entryNumbers === 0 && this.#numbers.every(Number.isSafeInteger)
    if (!isWhole || (this.#page < pages && this.#numbers.length === 0)) throw new UnreadableRun('a page has no entries')
    this.#read()
  }

  #read(): void {
    this.#next = this.#at < this.#numbers.length ? entryAt(this.#numbers, this.#at) : undefined
  }
}

export function isDamage(error: unknown): error is BookendError {
  return error instanceof BookendError && error.code === 'BOOKEND_CORRUPT'
}

function fenceAt(fences: Float64Array, page: number): DuePlace {
  return { order: fences[page * fenceNumbers], id: fences[page * fenceNumbers + 1] }
}

/** Of one message. @throws {@link UnreadableRun} */
export async function numbersAt(topic: RunTopic, offset: number): Promise<Float64Array> {
  let place: RecordPlace | undefined
  try {
    place = (await topic.records([offset]))[0]
  } catch (cause) {
    throw isDamage(cause) ? new UnreadableRun(`message ${offset} cannot be read`, { cause }) : cause
  }
  if (place === undefined) throw new UnreadableRun(`message ${offset} is not there`)
  return decodeNumbers(new StoredMessage<Uint8Array>({ topic: '.due', decode: undefined }, place).value)
}
