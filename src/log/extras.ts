/** Key and headers of an append: what is checked is what is stored. */
import type { Extras } from '../engine/terms.js'
import { expiresHeader, idHeader, tombstoneHeader } from '../limits.js'
import { expiryDigits } from '../messages/expiry.js'
import { plainIdExtras } from '../messages/id-extras.js'
import { headerJson } from './header-json.js'
import { utf8 } from './utf8.js'
import { describe, isPlainObject } from './validate.js'

const maxKeyBytes = 64 * 1024

/** Headers that options write. */
interface OwnHeaders {
  readonly id?: string | undefined
  readonly expiresAt?: number | undefined
  /** There is nothing any more under the key. */
  readonly tombstone?: boolean | undefined
  /** The message goes into this thread's ring at once, if anywhere. */
  readonly isLone?: boolean | undefined
}

const none: OwnHeaders = {}
const idAlone = [idHeader]

/** @throws TypeError, RangeError */
export function encodeExtras(key: unknown, headers: unknown, own = none): Extras | undefined {
  if (key === undefined && headers === undefined && own === none) return undefined
  if (key !== undefined && typeof key !== 'string' && !(key instanceof Uint8Array))
    throw new TypeError('key is a string or a Uint8Array')
  const keyBytes = typeof key === 'string' ? utf8(key) : key
  if (keyBytes !== undefined && keyBytes.length > maxKeyBytes)
    throw new RangeError(`a key has at most ${maxKeyBytes} bytes, not ${keyBytes.length}`)
  const { id, expiresAt } = own
  const isIdAlone = id !== undefined && headers === undefined && expiresAt === undefined && own.tombstone !== true
  const plain = isIdAlone && own.isLone === true ? plainIdExtras(keyBytes, id) : undefined
  if (plain !== undefined) return plain
  const extras = { key: keyBytes, headers: encodeHeaders(headers, own) }
  return expiresAt === undefined ? extras : { ...extras, expiresAt }
}

function encodeHeaders(headers: unknown, { id, expiresAt, tombstone }: OwnHeaders): Uint8Array | undefined {
  if (headers === undefined && expiresAt === undefined && tombstone !== true)
    return id === undefined ? undefined : headerJson(idAlone, [id])
  const names: string[] = []
  const values: string[] = []
  const put = (name: string, value: string) => {
    names.push(name)
    values.push(value)
  }
  // In front of the others: there it is looked for.
  if (expiresAt !== undefined) put(expiresHeader, expiryDigits(expiresAt))
  if (headers !== undefined) {
    if (!isPlainObject(headers)) throw new TypeError(`headers is a plain object of strings, not ${describe(headers)}`)
    for (const name of Object.keys(headers)) {
      const value = headerOf(headers, name)
      if (expiresAt !== undefined && name === expiresHeader)
        throw new TypeError(`header ${name} is what the options ttlMs and expiresAt write: give one of them`)
      if (name === idHeader && id !== undefined && value !== id)
        throw new TypeError(`header ${name} is what the option id writes: give one of them`)
      put(name, tombstone === true && name === tombstoneHeader ? '1' : value)
    }
  }
  if (tombstone === true && !names.includes(tombstoneHeader)) put(tombstoneHeader, '1')
  if (id !== undefined && !names.includes(idHeader)) put(idHeader, id)
  return names.length === 0 ? undefined : headerJson(names, values)
}

function headerOf(headers: object, name: string): string {
  // What is checked here must be what is stored: a getter could say something else the next time.
  const property = Object.getOwnPropertyDescriptor(headers, name)
  if (typeof property?.value === 'string') return property.value
  const found = property?.get === undefined ? describe(property?.value) : 'a getter'
  throw new TypeError(`header ${JSON.stringify(name)} is a string, not ${found}`)
}
