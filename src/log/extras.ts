/** Key and headers of an append: what is checked is what is stored. */
import type { Extras } from '../engine/terms.js'
import { idHeader } from '../limits.js'
import { describe, isPlainObject } from './validate.js'

const encoder = new TextEncoder()
const maxKeyBytes = 64 * 1024

/** @throws TypeError, RangeError */
export function encodeExtras(key: unknown, headers: unknown, id?: string): Extras | undefined {
  if (key === undefined && headers === undefined && id === undefined) return undefined
  if (key !== undefined && typeof key !== 'string' && !(key instanceof Uint8Array))
    throw new TypeError('key is a string or a Uint8Array')
  const keyBytes = typeof key === 'string' ? encoder.encode(key) : key
  if (keyBytes !== undefined && keyBytes.length > maxKeyBytes)
    throw new RangeError(`a key has at most ${maxKeyBytes} bytes, not ${keyBytes.length}`)
  return { key: keyBytes, headers: encodeHeaders(headers, id) }
}

function encodeHeaders(headers: unknown, id: string | undefined): Uint8Array | undefined {
  if (headers === undefined) return id === undefined ? undefined : encoder.encode(JSON.stringify({ [idHeader]: id }))
  if (!isPlainObject(headers)) throw new TypeError(`headers is a plain object of strings, not ${describe(headers)}`)
  const names = Object.keys(headers)
  for (const name of names) {
    // What is checked here must be what is stored: a getter could say something else the next time.
    const property = Object.getOwnPropertyDescriptor(headers, name)
    if (typeof property?.value === 'string') continue
    const found = property?.get === undefined ? describe(property?.value) : 'a getter'
    throw new TypeError(`header ${JSON.stringify(name)} is a string, not ${found}`)
  }
  if (id === undefined) return names.length === 0 ? undefined : encoder.encode(JSON.stringify(headers))
  const given = Object.getOwnPropertyDescriptor(headers, idHeader)?.value
  if (given !== undefined && given !== id)
    throw new TypeError(`header ${idHeader} is what the option id writes: give one of them`)
  return encoder.encode(JSON.stringify({ ...headers, [idHeader]: id }))
}
