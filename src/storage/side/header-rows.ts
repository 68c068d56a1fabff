/** Rows of the headers of one topic that are indexed: the hash of each value, and whose it is. */
import { HeaderHasher, headerHash } from '../../format/header-hash.js'
import { endOfSame, endOfString, jsonMark } from '../../format/stored-headers.js'
import { GrowingRows } from './growing-rows.js'

const { colon, comma, openBrace, closeBrace } = jsonMark

/** Rows of one header, in the order of ordinals. */
interface RowsOfHeader {
  readonly name: string
  /** As it is stored. */
  readonly stored: Uint8Array
  readonly rows: GrowingRows
}

const encoder = new TextEncoder()
const stored = (text: string): Uint8Array => encoder.encode(JSON.stringify(text))

export class HeaderRows {
  readonly byHeader: readonly RowsOfHeader[]
  readonly #hasher = new HeaderHasher()

  constructor(names: readonly string[]) {
    this.byHeader = names.map((name) => ({ name, stored: stored(name), rows: new GrowingRows() }))
  }

  /** @param bytes between `start` and `end` the headers of a record, as they are stored */
  add(bytes: Uint8Array, start: number, end: number, ordinal: number): void {
    // What was found in JSON of another form is found again: no row is added twice.
    if (!this.#walk(bytes, start, end, ordinal)) this.#addParsed(bytes.subarray(start, end), ordinal)
  }

  /** False: they are JSON of another form, or none, and what was found is not all. */
  #walk(bytes: Uint8Array, start: number, end: number, ordinal: number): boolean {
    if (bytes[start] !== openBrace) return false
    for (let name = start + 1; ; ) {
      const valueEnd = this.#pass(bytes, name, end, ordinal)
      if (valueEnd < 0) return false
      if (bytes[valueEnd] === closeBrace) return true
      if (bytes[valueEnd] !== comma) return false
      name = valueEnd + 1
    }
  }

  /** Where the value ends whose name begins there; -1: it is of another form. */
  #pass(bytes: Uint8Array, name: number, end: number, ordinal: number): number {
    for (const { stored, rows } of this.byHeader) {
      const nameEnd = endOfSame(bytes, name, end, stored)
      if (nameEnd < 0 || bytes[nameEnd] !== colon) continue
      const valueEnd = this.#hasher.read(bytes, nameEnd + 1, end)
      if (valueEnd > 0) rows.add(this.#hasher.hash, ordinal)
      return valueEnd
    }
    const nameEnd = endOfString(bytes, name, end)
    return nameEnd < 0 || bytes[nameEnd] !== colon ? -1 : endOfString(bytes, nameEnd + 1, end)
  }

  /** JSON of another form than ours: whoever compares parses it as well. */
  #addParsed(bytes: Uint8Array, ordinal: number): void {
    let headers: Record<string, unknown>
    try {
      headers = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
    } catch {
      return
    }
    for (const { name, rows } of this.byHeader) {
      const value = Object.hasOwn(Object(headers), name) ? headers[name] : undefined
      if (typeof value !== 'string') continue
      const bytes = stored(value)
      rows.add(headerHash(bytes, 0, bytes.length), ordinal)
    }
  }
}
