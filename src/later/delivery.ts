/**
 * Appends what is due to its topics: messages and the mark behind them in one transaction, or in several, each with the mark behind what it has.
 * What cannot be read is lost, and told; what its topic has under the same id already is not written again.
 */
import type { AskedRecords, EngineTopic } from '../engine/engine.js'
import type { TransactionParts } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { laterTopic } from '../format/hidden-topics.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import { type DueEntry, type DuePlace, isOutOfTurn } from './due-order.js'
import { isDamage } from './due-run.js'
import {
  cancelRecord,
  type DueMessage,
  type DueTime,
  deliveredOf,
  type LaterRecord,
  repeatRecord,
} from './later-record.js'
import type { Due } from './pending.js'
import { nextTime } from './repeat-rule.js'

/** What is written in one transaction at most, but for a longer message. */
const deliveryBytes = 256 * 1024

export interface DeliveryParts {
  readonly later: Pick<EngineTopic, 'records'>
  /** Writes at one moment. */
  readonly write: (parts: TransactionParts) => Promise<readonly number[]>
  /** A message cannot be read, and is passed over. */
  readonly onLost: (error: unknown) => void
  readonly now: () => number
  /** What comes again takes a place behind that time. */
  readonly until: number
  /** What is due before that was missed, as nobody had the log open. */
  readonly since: number
  /** What comes again has its next time, at that offset. */
  readonly onNext: (time: DueTime, at: number) => void
  /** Written: all up to there is delivered. */
  readonly onMark: (mark: DuePlace) => void
}

interface Chosen {
  readonly entry: DueEntry
  readonly message: DueMessage | undefined
  /** Undefined: it comes no more. */
  readonly next: { readonly record: LaterRecord; readonly time: DueTime } | undefined
}

/** @returns what is not written, where something fails, and why */
export async function deliver(
  parts: DeliveryParts,
  { entries, mark }: Due,
): Promise<{ left: DueEntry[]; error: unknown } | undefined> {
  let done = 0
  try {
    const chosen = await read(parts, entries)
    for (const batch of batchesOf(chosen)) {
      const isLast = done + batch.length === entries.length
      await write(parts, batch, isLast ? mark : lastPlace(batch))
      done += batch.length
    }
    // All of it was cancelled.
    if (entries.length === 0 && mark !== undefined) await write(parts, [], mark)
    return undefined
  } catch (error) {
    return { left: entries.slice(done), error }
  }
}

async function read(
  { later, onLost, now, since, until }: DeliveryParts,
  entries: readonly DueEntry[],
): Promise<Chosen[]> {
  const offsets = entries.map(({ at }) => at)
  let places: AskedRecords
  try {
    places = await later.records(offsets)
  } catch (error) {
    if (!isDamage(error)) throw error
    const found: (RecordPlace | undefined)[] = []
    for (const offset of offsets) found.push(await legible(later, offset, onLost))
    places = found
  }
  return entries.map((entry, index) => {
    const place = places[index]
    if (place === undefined) return { entry, message: undefined, next: undefined }
    const message = deliveredOf(place)
    const { repeat } = message
    if (repeat === undefined) return { entry, message, next: undefined }
    const at = nextTime(repeat.rule, entry.due, now())
    const time = at === undefined ? undefined : { due: at, order: Math.max(at, until + 1) }
    const isMissed = repeat.rule.missed === 'skip' && entry.due < since
    return {
      entry,
      message: isMissed ? undefined : message,
      next: time && { record: repeatRecord(repeat, time), time },
    }
  })
}

async function legible(
  later: Pick<EngineTopic, 'records'>,
  offset: number,
  onLost: (error: unknown) => void,
): Promise<RecordPlace | undefined> {
  try {
    return (await later.records([offset]))[0]
  } catch (error) {
    if (!isDamage(error)) throw error
    onLost(error)
    return undefined
  }
}

function* batchesOf(chosen: readonly Chosen[]): IterableIterator<Chosen[]> {
  let batch: Chosen[] = []
  let bytes = 0
  for (const each of chosen) {
    const size = each.message?.value.length ?? 0
    if (batch.length > 0 && bytes + size > deliveryBytes) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(each)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

/** In one batch after the other, so what is out of turn has no place that would be passed. */
function lastPlace(batch: readonly Chosen[]): DuePlace | undefined {
  return batch.findLast(({ entry }) => !isOutOfTurn(entry))?.entry
}

async function write(parts: DeliveryParts, batch: readonly Chosen[], mark: DuePlace | undefined): Promise<void> {
  try {
    await writeAtOnce(parts, batch, mark)
  } catch (error) {
    if (!(error instanceof BookendError) || error.code !== 'BOOKEND_CONFLICT') throw error
    if (batch.length === 1) {
      await writeAtOnce(parts, [{ ...batch[0], message: undefined }], mark)
      return
    }
    for (const [index, each] of batch.entries())
      await write(parts, [each], index === batch.length - 1 ? mark : lastPlace([each]))
  }
}

async function writeAtOnce(parts: DeliveryParts, batch: readonly Chosen[], mark: DuePlace | undefined): Promise<void> {
  const messages = batch.flatMap(({ message }) => message ?? [])
  // What they say is done when the order comes to their places.
  const outOfTurn = batch.filter(({ entry }) => isOutOfTurn(entry))
  const cancels = outOfTurn.map(({ entry, message }) => ({
    topic: laterTopic,
    ...cancelRecord(message?.topic ?? '', entry),
  }))
  const registers = mark === undefined ? [] : markRegisters(mark)
  const nexts = batch.flatMap(({ next }) => next ?? [])
  const again = nexts.map(({ record }) => ({ topic: laterTopic, ...record }))
  const offsets = await parts.write({ messages: [...messages, ...cancels, ...again], registers })
  const first = messages.length + cancels.length
  for (const [index, { time }] of nexts.entries()) parts.onNext(time, offsets[first + index])
  if (mark !== undefined) parts.onMark(mark)
}

/** The two numbers of the mark, by their names. */
export const markNames = { order: 'due', id: 'id' } as const

function markRegisters({ order, id }: DuePlace): TransactionParts['registers'] {
  const shared = { kind: 'c' as const, below: undefined }
  return [
    { ...shared, name: markNames.order, value: order },
    { ...shared, name: markNames.id, value: id },
  ]
}
