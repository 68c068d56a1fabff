/** Key and headers of an append: what is checked is what is stored. */
import type { Extras } from '../engine/terms.js'
import { expiresHeader, idHeader, tombstoneHeader } from '../limits.js'
import { expiringHeaders } from '../messages/expiry.js'
import { utf8 } from './utf8.js'
import { describe, isPlainObject } from './validate.js'

const maxKeyBytes = 64 * 1024

/** Headers that options write. */
interface OwnHeaders {
  readonly id?: string | undefined
  readonly expiresAt?: number | undefined
  /** There is nothing any more under the key. */
  readonly tombstone?: boolean | undefined
}

const none: OwnHeaders = {}

/** @throws TypeError, RangeError */
export function encodeExtras(key: unknown, headers: unknown, own = none): Extras | undefined {
  if (key === undefined && headers === undefined && own === none) return undefined
  if (key !== undefined && typeof key !== 'string' && !(key instanceof Uint8Array))
    throw new TypeError('key is a string or a Uint8Array')
  const keyBytes = typeof key === 'string' ? utf8(key) : key
  if (keyBytes !== undefined && keyBytes.length > maxKeyBytes)
    throw new RangeError(`a key has at most ${maxKeyBytes} bytes, not ${keyBytes.length}`)
  const { expiresAt } = own
  const extras = { key: keyBytes, headers: encodeHeaders(headers, own) }
  return expiresAt === undefined ? extras : { ...extras, expiresAt }
}

function encodeHeaders(headers: unknown, { id, expiresAt, tombstone }: OwnHeaders): Uint8Array | undefined {
  const others = headers === undefined ? {} : checkHeaders(headers)
  const given = tombstone === true ? { ...others, [tombstoneHeader]: '1' } : others
  if (id !== undefined) checkOwn(given, idHeader, id, 'the option id writes')
  if (expiresAt === undefined) {
    if (id === undefined) return Object.keys(given).length === 0 ? undefined : utf8(JSON.stringify(given))
    return utf8(JSON.stringify({ ...given, [idHeader]: id }))
  }
  checkOwn(given, expiresHeader, undefined, 'the options ttlMs and expiresAt write')
  const named = id === undefined ? given : { ...given, [idHeader]: id }
  return utf8(expiringHeaders(expiresAt, JSON.stringify(named)))
}

function checkHeaders(headers: unknown): Record<string, string> {
  if (!isPlainObject(headers)) throw new TypeError(`headers is a plain object of strings, not ${describe(headers)}`)
  for (const name of Object.keys(headers)) {
    // What is checked here must be what is stored: a getter could say something else the next time.
    const property = Object.getOwnPropertyDescriptor(headers, name)
    if (typeof property?.value === 'string') continue
    const found = property?.get === undefined ? describe(property?.value) : 'a getter'
    throw new TypeError(`header ${JSON.stringify(name)} is a string, not ${found}`)
  }
  return headers as Record<string, string>
}

/** @throws TypeError where it is among those given, as something else */
function checkOwn(given: Record<string, string>, name: string, value: string | undefined, writer: string): void {
  const other = Object.getOwnPropertyDescriptor(given, name)?.value
  if (other !== undefined && other !== value) throw new TypeError(`header ${name} is what ${writer}: give one of them`)
}
