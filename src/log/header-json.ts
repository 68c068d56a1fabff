/** Headers as they are stored, JSON in UTF-8: written here where they are short and take no escapes, as they mostly are, for a fraction of what it takes to stringify them. */
import { utf8 } from './utf8.js'

/** Behind that others are the faster ones. */
const shortLength = 256
const [quote, backslash, colon, comma, openBrace, closeBrace] = Buffer.from('"\\:,{}')
const firstPrintable = 0x20
const firstOfSeveralBytes = 0x80
/** What is to be written has other characters than that is done for here. */
const notPlain = -1

/** What `JSON.stringify` makes of an object with these properties, in this order. There is one at least. */
export function headerJson(names: readonly string[], values: readonly string[]): Uint8Array {
  // Two pairs of quotes and a colon, and a comma or a brace in front.
  let length = 1 + 6 * names.length
  for (let index = 0; index < names.length; index++) length += names[index].length + values[index].length
  return (length <= shortLength ? plainJson(names, values, length) : undefined) ?? utf8(jsonOf(names, values))
}

function plainJson(names: readonly string[], values: readonly string[], length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length)
  let at = 0
  for (let index = 0; index < names.length; index++) {
    bytes[at] = index === 0 ? openBrace : comma
    at = putString(bytes, at + 1, names[index])
    if (at === notPlain) return undefined
    bytes[at] = colon
    at = putString(bytes, at + 1, values[index])
    if (at === notPlain) return undefined
  }
  bytes[at] = closeBrace
  return bytes
}

/** @returns where it ends */
function putString(bytes: Uint8Array, start: number, text: string): number {
  let at = start
  bytes[at++] = quote
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < firstPrintable || unit >= firstOfSeveralBytes || unit === quote || unit === backslash) return notPlain
    bytes[at++] = unit
  }
  bytes[at++] = quote
  return at
}

function jsonOf(names: readonly string[], values: readonly string[]): string {
  return `{${names.map((name, index) => `${JSON.stringify(name)}:${JSON.stringify(values[index])}`).join(',')}}`
}
