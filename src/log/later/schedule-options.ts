/** When a message is delivered, and what goes with it: checked before anything is written. */
import type { Engine } from '../../engine/engine.js'
import type { Payload, PlannedMessage, Ticket } from '../../engine/terms.js'
import { laterHeaderPrefix, laterMessageBytes, maxTime } from '../../limits.js'
import { expiryIn, longestTtlMs } from '../../messages/expiry.js'
import { copyOf, copyOfExtras } from '../../messages/own-copies.js'
import { type AppendOptions, checkAppendOptions, checkSize, type Dedupe } from '../append-options.js'
import { checkKeys, checkSpan, checkTime, describe } from '../validate.js'

/** When a message is delivered: one of the two. */
export interface DeliveryTime {
  /** At that time, ms since the epoch where it is a number; at once if it is over. Months ahead are as good as seconds. */
  deliverAt?: Date | number
  /** So many ms from the call on. */
  delayMs?: number
}

/** What goes with a scheduled message. */
export interface ScheduleOptions
  extends DeliveryTime,
    Pick<AppendOptions, 'key' | 'headers' | 'durability' | 'expiresAt'> {
  /** The message counts for so long, ms from its delivery on; then it is passed over by whoever reads. From 1. */
  ttlMs?: number
  /**
   * As for `append`: within the topic's window a second call with it resolves with the ticket of the first. It is there when the message is delivered: an
   * append under the same id finds that, and a message that was appended under it meanwhile is not delivered a second time.
   */
  id?: string
}

export const deliveryTimeNames = ['deliverAt', 'delayMs'] as const
const names = ['key', 'headers', 'durability', 'id', 'ttlMs', 'expiresAt', ...deliveryTimeNames]

/** @throws TypeError, RangeError; `BOOKEND_TOO_LARGE`; `BOOKEND_UNSUPPORTED` for a level that there is not */
export function checkScheduled(
  engine: Pick<Engine, 'facts' | 'supports'>,
  topic: string,
  encode: () => Payload,
  options: ScheduleOptions,
  dedupe: Dedupe | undefined,
) {
  checkKeys('schedule options', options, names)
  const { deliverAt, delayMs, ttlMs, ...rest } = options
  for (const name of Object.keys(rest.headers ?? {}))
    if (name.startsWith(laterHeaderPrefix))
      throw new TypeError(`header ${name} is one of those by which scheduled messages are kept: name yours otherwise`)
  const due = checkDeliveryTime({ deliverAt, delayMs })
  if (ttlMs !== undefined && rest.expiresAt === undefined) rest.expiresAt = expiryBehind(due, ttlMs)
  else if (ttlMs !== undefined) throw new TypeError('ttlMs and expiresAt say the same in two ways: give one of them')
  const { level, extras, condition } = checkAppendOptions(engine, rest, dedupe)
  const value = encode()
  checkSize(engine, topic, value, extras, laterMessageBytes)
  // It is written once the log is at hand for it: the buffers are the caller's again by then.
  const own = { value: copyOf(value), extras: copyOfExtras(extras) }
  const message: PlannedMessage = { topic, ...own, due, id: condition?.id }
  return { level, message }
}

/** What is due already comes now. */
function expiryBehind(due: PlannedMessage['due'], ttlMs: unknown): number {
  const ms = checkSpan('ttlMs', ttlMs, 1, longestTtlMs())
  return 'at' in due ? Math.max(due.at + Math.ceil(ms), expiryIn(ms)) : expiryIn(due.inMs + Math.ceil(ms))
}

function checkDeliveryTime({ deliverAt, delayMs }: DeliveryTime): PlannedMessage['due'] {
  if ((deliverAt === undefined) === (delayMs === undefined))
    throw new TypeError('a message is scheduled with deliverAt, a time, or with delayMs: give one of them')
  if (delayMs !== undefined) return { inMs: Math.ceil(checkSpan('delayMs', delayMs, 0, maxTime)) }
  const at = Math.ceil(checkTime('deliverAt', deliverAt))
  if (!(at <= maxTime)) throw new RangeError(`deliverAt is a time that a Date can have, not ${at}`)
  return { at: Math.max(at, 0) }
}

/** @throws TypeError */
export function checkTicket(ticket: unknown): Ticket {
  const { id, deliverAt } = (ticket ?? {}) as Partial<Ticket>
  if (typeof id !== 'string' || typeof deliverAt !== 'number')
    throw new TypeError(`a ticket is what schedule() resolved with, { id, deliverAt }, not ${describe(ticket)}`)
  return { id, deliverAt }
}
