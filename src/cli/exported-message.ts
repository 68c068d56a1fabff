/** A message as a line of an export: what `toJSON` of a message makes, read again. */
import { expiresHeader, namePattern } from '../limits.js'
import type { Incoming } from './intake.js'
import { isObject, lineFailure, parseObject } from './json-lines.js'
import type { Line } from './lines.js'

const known = ['topic', 'offset', 'timestamp', 'key', 'keyEncoding', 'headers', 'value', 'encoding']

/**
 * @param timeHeader header that is to keep the time of the message
 * @throws Failure with the number of the line, if anything in it is not as export writes it
 */
export function incomingOf(line: Line, timeHeader: string | undefined): Incoming {
  const parts = parseObject(line)
  const fail = (what: string) => lineFailure(line.number, what)
  // A field with a slip in its name would be lost without a word.
  const strange = Object.keys(parts).find((name) => !known.includes(name))
  if (strange !== undefined) throw fail(`has a field ${JSON.stringify(strange)}; there are ${known.join(', ')}`)
  const { topic, key, keyEncoding, headers, value, encoding, timestamp } = parts
  if (typeof topic !== 'string' || !namePattern.test(topic)) throw fail('has no field "topic" with the name of a topic')
  if (value === undefined) throw fail('has no field "value"')
  if (key !== undefined && typeof key !== 'string') throw fail('has a key that is no text')
  if (headers !== undefined && !(isObject(headers) && Object.values(headers).every((text) => typeof text === 'string')))
    throw fail('has headers that are no object of texts')
  if (timeHeader !== undefined && typeof timestamp !== 'number') throw fail('has no timestamp, for --time-header')
  return {
    line: line.number,
    topic,
    value: bytesOf(value, encoding, fail),
    options: {
      key: key === undefined ? undefined : bytesOf(key, keyEncoding, fail),
      ...withoutExpiry(headersOf(headers, timeHeader, timestamp)),
    },
  }
}

function headersOf(headers: unknown, timeHeader: string | undefined, timestamp: unknown) {
  const own = headers as Record<string, string> | undefined
  return timeHeader === undefined ? own : { ...own, [timeHeader]: new Date(timestamp as number).toISOString() }
}

/** What was to expire does so again; and the header is the option's to write. */
function withoutExpiry(headers: Record<string, string> | undefined) {
  const { [expiresHeader]: expiresAt, ...others } = headers ?? {}
  if (expiresAt === undefined || !/^\d{13}$/.test(expiresAt)) return { headers }
  return { headers: others, expiresAt: Number(expiresAt) }
}

/** A value that is no text is one that somebody wrote by hand: its JSON. */
function bytesOf(value: unknown, encoding: unknown, fail: (what: string) => Error): Uint8Array {
  if (encoding === undefined) return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  if (encoding !== 'base64') throw fail(`has an encoding ${JSON.stringify(encoding)}: there is base64`)
  // Buffer reads over what is not base64.
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0)
    throw fail('is not base64 where it says so')
  return Buffer.from(value, 'base64')
}
