/** Which messages are wanted, by their headers. */
import type { Filter } from '../../engine/terms.js'
import { describe, isPlainObject } from '../validate.js'

/**
 * Messages that have every header named here, each with the value given, or with one of them. Names and values are compared as they are;
 * `{}` is all messages.
 */
export type Where = Readonly<Record<string, string | readonly string[]>>

/** What is checked is what is asked for, whatever the caller does with the object. @throws TypeError, RangeError */
export function checkWhere(where: unknown): Filter | undefined {
  if (where === undefined) return undefined
  if (!isPlainObject(where)) throw new TypeError(`where is a plain object of header values, not ${describe(where)}`)
  const filter = Object.entries(where).map(([name, value]) => ({ name, values: valuesOf(name, value) }))
  return filter.length === 0 ? undefined : filter.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function valuesOf(name: string, value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  for (const each of values)
    if (typeof each !== 'string')
      throw new TypeError(`where ${JSON.stringify(name)} is a string or an array of strings, not ${describe(each)}`)
  if (values.length === 0) throw new RangeError(`where ${JSON.stringify(name)} has no value: no message would match`)
  return [...new Set(values as readonly string[])].sort()
}
