/** What goes with an append, and how large it may be: checked before anything is written, for topics and for handlers. */
import type { Engine } from '../engine/engine.js'
import type { Condition, Durability, Extras, Payload } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { encodeExtras } from './extras.js'
import { checkLevel, checkSupported } from './supported.js'
import { checkKeys, checkOffset, checkSignal } from './validate.js'

/** What goes with an append. */
export interface AppendOptions {
  /** Stored with the message; a string is stored as UTF-8. At most 64 KiB. */
  key?: string | Uint8Array
  /** Stored with the message. */
  headers?: Record<string, string>
  /**
   * The offset that the message is to get; of several, the first of them. Where the topic goes on at another one when the append's turn has
   * come, it is refused with `BOOKEND_CONFLICT`, and nothing is written: so whoever has read the topic to its end, and decides by what it holds,
   * appends only if nobody else has appended meanwhile. An integer from 0. Not with `offer`, which tells nobody of a refusal.
   */
  expectedOffset?: number
  /** Overrides the log's durability for this call. */
  durability?: Durability
  /** Ends the waiting, not the append: a message that is handed over stays written. */
  signal?: AbortSignal
}

export const messageOptionNames = ['key', 'headers', 'durability', 'signal'] as const
export const appendOptionNames = [...messageOptionNames, 'expectedOffset'] as const

export interface CheckedAppendOptions {
  level: Durability
  signal: AbortSignal | undefined
  extras: Extras | undefined
  condition: Condition | undefined
}

/** @throws TypeError, RangeError; `BOOKEND_UNSUPPORTED` for a level or a condition that there is not; the signal's reason */
export function checkAppendOptions(
  engine: Pick<Engine, 'facts' | 'supports'>,
  options: AppendOptions | undefined,
): CheckedAppendOptions {
  if (options === undefined)
    return { level: engine.facts.durability, signal: undefined, extras: undefined, condition: undefined }
  checkKeys('append options', options, appendOptionNames)
  const { key, headers, durability, expectedOffset } = options
  const level = durability === undefined ? engine.facts.durability : checkLevel(engine, 'durability', durability)
  const signal = checkSignal(options.signal)
  signal?.throwIfAborted()
  const condition = expectedOffset === undefined ? undefined : checkCondition(engine, expectedOffset)
  return { level, signal, extras: encodeExtras(key, headers), condition }
}

function checkCondition(engine: Pick<Engine, 'facts' | 'supports'>, expected: unknown): Condition {
  const expectedOffset = checkOffset('expectedOffset', expected)
  checkSupported(engine, engine.supports.expectedOffset, 'expectedOffset')
  return { expectedOffset }
}

/** Before anything is written: a message too large leaves no trace. @throws `BOOKEND_TOO_LARGE` */
export function checkSize(
  { facts }: Pick<Engine, 'facts'>,
  topic: string,
  value: Payload,
  extras: Extras | undefined,
): void {
  const { maxMessageBytes } = facts
  const isText = typeof value === 'string'
  // Of a string this is the most that it can come to, and what it does come to is counted only where that matters.
  let total = isText ? value.length * 3 : value.length
  if (extras !== undefined) total += (extras.key?.length ?? 0) + (extras.headers?.length ?? 0)
  if (total <= maxMessageBytes) return
  if (isText) total += Buffer.byteLength(value) - value.length * 3
  if (total <= maxMessageBytes) return
  const { messageBytesLimit, beyondLimit } = facts
  const remedy =
    maxMessageBytes < messageBytesLimit
      ? `open the log with a higher maxMessageBytes (up to ${messageBytesLimit} here)`
      : beyondLimit
  const message = `the message has ${total} bytes with its key and headers, and ${maxMessageBytes} is the most here: split it, or ${remedy}`
  throw new BookendError('BOOKEND_TOO_LARGE', message, { topic })
}
