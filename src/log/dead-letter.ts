/** A dead letter as the application sees it: the message, and what became of it. */
import { namePattern } from '../limits.js'
import { letterHeaders, letterPrefix } from '../messages/dead-letter.js'
import type { Message } from '../messages/message.js'

/** A message that could not be handled, as its processor has given it up. */
export interface DeadLetter {
  /** Its offset among the dead letters. */
  readonly offset: number
  /** When it was given up, ms since the epoch. */
  readonly timestamp: number
  /** Where it comes from. */
  readonly origin: {
    /** The topic of the message. */
    readonly topic: string
    /** Its offset there. */
    readonly offset: number
    /** When it was appended there, ms since the epoch; undefined of damage. */
    readonly timestamp: number | undefined
  }
  /** The group that could not handle it. */
  readonly group: string
  /** Name and text of the last error. */
  readonly reason: string
  /** Calls that failed with it; 0 of damage. */
  readonly attempts: number
  /** The key of the message. */
  readonly key?: Uint8Array
  /** The key as text, decoded as UTF-8. */
  readonly keyText?: string
  /** The headers that the message had. */
  readonly headers?: Record<string, string>
  /** The bytes of the message's value. */
  readonly value: Uint8Array
  /** The message had no room for what is said here, and its value was left out: it is where `origin` says, for as long as it is there. */
  readonly isValueLeftOut: boolean
  /** It stands for messages that could not be read, from the origin's offset on: the first offset behind them. There is nothing to bring back. */
  readonly damagedTo: number | undefined
}

/** @returns undefined: it is none, but a message that somebody has put there */
export function deadLetterOf(message: Message): DeadLetter | undefined {
  const all = message.headers ?? {}
  const { [letterHeaders.topic]: topic, [letterHeaders.offset]: offset } = all
  if (topic === undefined || !namePattern.test(topic) || !isNumber(offset)) return undefined
  const { [letterHeaders.timestamp]: timestamp, [letterHeaders.attempts]: attempts } = all
  const own = Object.entries(all).filter(([name]) => !name.startsWith(letterPrefix))
  const { key, keyText } = message
  const isDamage = attempts === '0'
  return {
    offset: message.offset,
    timestamp: message.timestamp,
    origin: { topic, offset: Number(offset), timestamp: isNumber(timestamp) ? Number(timestamp) : undefined },
    group: all[letterHeaders.group] ?? '',
    reason: all[letterHeaders.error] ?? '',
    attempts: isNumber(attempts) ? Number(attempts) : 0,
    ...(key !== undefined && { key, keyText }),
    ...(own.length > 0 && { headers: Object.fromEntries(own) }),
    value: message.value,
    isValueLeftOut: all[letterHeaders.value] !== undefined,
    damagedTo: isDamage ? Number(all[letterHeaders.next] ?? Number(offset) + 1) : undefined,
  }
}

/** Anybody may have written these headers. */
function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,15}$/.test(text)
}
