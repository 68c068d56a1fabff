/** What goes with an append, and how large it may be: checked before anything is written, for topics and for handlers. */
import type { Engine } from '../engine/engine.js'
import type { Condition, Durability, ExpectedVersion, Extras, Payload } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import { defaultIdWindowMs, defaultMaxIds } from '../limits.js'
import { expiryIn, longestTtlMs, maxExpiresAt } from '../messages/expiry.js'
import { extrasLength } from '../messages/id-extras.js'
import { encodeExtras } from './extras.js'
import { checkLevel, checkSupported } from './supported.js'
import { checkId, checkInteger, checkKeys, checkOffset, checkSignal, checkSpan, checkTime } from './validate.js'

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
  /**
   * What the last message of the topic with the same key is to be: the offset of it, `'none'` where there is to be no such message, `'exists'` where there
   * is to be one. Otherwise the append is refused with `BOOKEND_CONFLICT`, and nothing is written; no other append with the key comes between the look
   * and the append. Needs a `key`. Not with `offer`.
   */
  expectedVersion?: ExpectedVersion
  /**
   * Names the message (or those of one `appendMany`), so that it is written once however often it is appended: where the topic remembers the id,
   * nothing is written, and the call resolves with the offset of the first message that was written under it. How long it remembers is
   * the option `dedupe` of `topic()`. 1 to 1,024 bytes of UTF-8; it stands in the header `bookend-id`. Not with `offer`.
   */
  id?: string
  /** The message counts for so long, ms from now; then it is passed over by whoever reads. From 1. */
  ttlMs?: number
  /**
   * The same as a moment, ms since the epoch or a Date, up to the year 2286. One that has passed is fine: nobody will see the message, which has its offset
   * all the same. It stands in the header `bookend-expires`.
   */
  expiresAt?: Date | number
  /** Overrides the log's durability for this call. */
  durability?: Durability
  /** Ends the waiting, not the append: a message that is handed over stays written. */
  signal?: AbortSignal
}

/** For how long a topic remembers the ids of its messages. */
export interface Dedupe {
  /** ms; 120,000 unless said, at most seven days. */
  windowMs?: number
  /** The oldest beyond so many are forgotten; 1,000,000 unless said. */
  max?: number
}

export const pushOptionNames = ['key', 'headers', 'durability', 'signal', 'id', 'ttlMs', 'expiresAt'] as const
/** What goes with a deletion. */
export type DeleteOptions = Omit<AppendOptions, 'key' | 'ttlMs' | 'expiresAt'>

export const appendOptionNames = [...pushOptionNames, 'expectedOffset', 'expectedVersion'] as const
const deleteOptionNames = ['headers', 'durability', 'signal', 'id', 'expectedOffset', 'expectedVersion'] as const

export interface CheckedAppendOptions {
  readonly level: Durability
  readonly signal: AbortSignal | undefined
  readonly extras: Extras | undefined
  readonly condition: Condition | undefined
}

const nothingSaid = { signal: undefined, extras: undefined, condition: undefined } as const
/** One for all appends without options, by the level of the log. */
const noOptions: Readonly<Record<Durability, CheckedAppendOptions>> = {
  process: { level: 'process', ...nothingSaid },
  disk: { level: 'disk', ...nothingSaid },
  replicated: { level: 'replicated', ...nothingSaid },
}

/** @param kind `lone`: nobody keeps what goes with it, or sends it on. @throws TypeError, RangeError; `BOOKEND_UNSUPPORTED` for a level or a condition that there is not; the signal's reason */
export function checkAppendOptions(
  engine: Pick<Engine, 'facts' | 'supports'>,
  options: AppendOptions | undefined,
  dedupe: Dedupe = {},
  kind: 'lone' | 'tombstone' | 'any' = 'any',
): CheckedAppendOptions {
  if (options === undefined) return noOptions[engine.facts.durability]
  checkKeys('append options', options, appendOptionNames)
  const { key, headers, durability, ttlMs } = options
  const level = durability === undefined ? engine.facts.durability : checkLevel(engine, 'durability', durability)
  const signal = checkSignal(options.signal)
  signal?.throwIfAborted()
  const condition = hasCondition(options) ? checkCondition(engine, options, dedupe) : undefined
  const expiresAt =
    ttlMs === undefined && options.expiresAt === undefined ? undefined : checkExpiry(engine, ttlMs, options.expiresAt)
  const tombstone = kind === 'tombstone'
  if (expiresAt === undefined && condition?.id === undefined && !tombstone)
    return { level, signal, extras: encodeExtras(key, headers), condition }
  const extras = encodeExtras(key, headers, { id: condition?.id?.text, expiresAt, tombstone, isLone: kind === 'lone' })
  return { level, signal, extras, condition }
}

/** Of a message that says that there is nothing any more under a key. @throws as {@link checkAppendOptions} */
export function checkDeleteOptions(
  engine: Pick<Engine, 'facts' | 'supports'>,
  key: string | Uint8Array,
  options: DeleteOptions,
  dedupe?: Dedupe,
): CheckedAppendOptions {
  if (key === undefined) throw new TypeError('key is a string or a Uint8Array')
  checkKeys('delete()', options, deleteOptionNames)
  return checkAppendOptions(engine, { ...options, key }, dedupe, 'tombstone')
}

/** When the message counts no more, ms since the epoch, by the options of which one is given. */
function checkExpiry(engine: Pick<Engine, 'facts' | 'supports'>, ttlMs: unknown, expiresAt: unknown): number {
  if (ttlMs !== undefined && expiresAt !== undefined)
    throw new TypeError('ttlMs and expiresAt say the same in two ways: give one of them')
  checkSupported(engine, engine.supports.expiry, 'ttlMs and expiresAt')
  if (ttlMs === undefined) return checkInteger('expiresAt', checkTime('expiresAt', expiresAt), 0, maxExpiresAt)
  return expiryIn(checkSpan('ttlMs', ttlMs, 1, longestTtlMs()))
}

/** Some options are conditions, whose answer somebody has to hear. */
export function hasCondition({ expectedOffset, expectedVersion, id }: AppendOptions): boolean {
  return expectedOffset !== undefined || expectedVersion !== undefined || id !== undefined
}

function checkCondition(
  engine: Pick<Engine, 'facts' | 'supports'>,
  options: AppendOptions,
  { windowMs = defaultIdWindowMs, max = defaultMaxIds }: Dedupe,
): Condition {
  const { supports } = engine
  const expectedOffset =
    options.expectedOffset === undefined ? undefined : checkOffset('expectedOffset', options.expectedOffset)
  const expectedVersion = options.expectedVersion === undefined ? undefined : checkVersion(options.expectedVersion)
  const text = options.id === undefined ? undefined : checkId(options.id)
  if (expectedVersion !== undefined && options.key === undefined)
    throw new TypeError('expectedVersion is about the last message with a key: append with a key')
  if (expectedOffset !== undefined) checkSupported(engine, supports.expectedOffset, 'expectedOffset')
  if (expectedVersion !== undefined) checkSupported(engine, supports.expectedVersion, 'expectedVersion')
  if (text === undefined) return { expectedOffset, expectedVersion }
  checkSupported(engine, supports.id, 'ids of messages')
  return { expectedOffset, expectedVersion, id: { text, windowMs, max } }
}

function checkVersion(version: unknown): ExpectedVersion {
  return version === 'none' || version === 'exists'
    ? version
    : checkOffset("expectedVersion, unless 'none' or 'exists',", version)
}

/** Before anything is written: a message too large leaves no trace. @param more bytes that go with it. @throws `BOOKEND_TOO_LARGE` */
export function checkSize(
  { facts }: Pick<Engine, 'facts'>,
  topic: string,
  value: Payload,
  extras: Extras | undefined,
  more = 0,
): void {
  const maxMessageBytes = facts.maxMessageBytes - more
  const isText = typeof value === 'string'
  // Of a string this is the most that it can come to, and what it does come to is counted only where that matters.
  let total = isText ? value.length * 3 : value.length
  if (extras !== undefined) total += extrasLength(extras)
  if (total <= maxMessageBytes) return
  if (isText) total += Buffer.byteLength(value) - value.length * 3
  if (total <= maxMessageBytes) return
  const { beyondLimit } = facts
  const messageBytesLimit = facts.messageBytesLimit - more
  const remedy =
    maxMessageBytes < messageBytesLimit
      ? `open the log with a higher maxMessageBytes (up to ${messageBytesLimit} here)`
      : beyondLimit
  const message = `the message has ${total} bytes with its key and headers, and ${maxMessageBytes} is the most here: split it, or ${remedy}`
  throw new BookendError('BOOKEND_TOO_LARGE', message, { topic })
}
