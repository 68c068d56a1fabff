/**
 * Tells whether a message has the headers that a filter names, by their bytes: headers are stored as JSON of one form, in which a string is
 * written in one way only, so nothing has to be decoded for it.
 */
import type { Filter } from '../engine/terms.js'
import { endOfString, isSameString, jsonMark } from '../format/stored-headers.js'
import { partsOf, type RecordPlace } from './chunk-cursor.js'
import { textOf } from './utf8.js'

const { colon, comma, openBrace, closeBrace } = jsonMark

interface WantedHeader {
  readonly name: Uint8Array
  readonly values: readonly Uint8Array[]
}

const encoder = new TextEncoder()
const stored = (text: string): Uint8Array => encoder.encode(JSON.stringify(text))

export class HeaderMatcher {
  /** As it can be sent to other threads. */
  readonly filter: Filter
  readonly #wanted: readonly WantedHeader[]

  constructor(filter: Filter) {
    this.filter = filter
    this.#wanted = filter.map(({ name, values }) => ({ name: stored(name), values: values.map(stored) }))
  }

  /** @param place of the record: a cursor that stands on it will do */
  matches({ bytes, words, frame }: RecordPlace): boolean {
    const { keyEnd, valueStart, valueEnd } = partsOf(words, frame)
    if (keyEnd === valueStart) return this.#wanted.length === 0
    // Lengths that somebody made up must not lead out of the frame.
    if (valueStart > valueEnd) return false
    return this.#walk(bytes, keyEnd, valueStart) ?? this.#parsed(bytes, keyEnd, valueStart)
  }

  /** Undefined: they are JSON of another form. */
  #walk(bytes: Uint8Array, start: number, end: number): boolean | undefined {
    let missing = this.#wanted.length
    if (missing === 0) return true
    if (bytes[start] !== openBrace) return undefined
    for (let name = start + 1; ; ) {
      const nameEnd = endOfString(bytes, name, end)
      if (nameEnd < 0 || bytes[nameEnd] !== colon) return undefined
      const value = nameEnd + 1
      const valueEnd = endOfString(bytes, value, end)
      if (valueEnd < 0) return undefined
      for (const wanted of this.#wanted) {
        if (!isSameString(bytes, name, nameEnd, wanted.name)) continue
        if (!wanted.values.some((each) => isSameString(bytes, value, valueEnd, each))) return false
        missing -= 1
        if (missing === 0) return true
      }
      if (bytes[valueEnd] === closeBrace) return false
      if (bytes[valueEnd] !== comma) return undefined
      name = valueEnd + 1
    }
  }

  #parsed(bytes: Uint8Array, start: number, end: number): boolean {
    let headers: Record<string, string>
    try {
      headers = JSON.parse(textOf(bytes, start, end)) as Record<string, string>
    } catch {
      // What nobody can read is not what is looked for.
      return false
    }
    return this.filter.every(({ name, values }) => Object.hasOwn(headers, name) && values.includes(headers[name]))
  }
}

/** They select the same messages. */
export function isSameFilter(a: Filter, b: Filter): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
