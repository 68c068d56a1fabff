/**
 * What a log holds, as part of a line. Messages are whatever somebody has sent: here nothing of them may end the line, move the
 * cursor, change colours or hide a part. `visible` is for text of our own, which has lines and colours.
 */

const strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })
const notForALine = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const names: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The text with each such character as `\n`, `\r`, `\t` or `\uXXXX`. */
export function escaped(text: string): string {
  return text.replaceAll(notForALine, (found) => {
    const units = Array.from({ length: found.length }, (_, unit) => hex(found.charCodeAt(unit), 4))
    return names[found] ?? units.map((unit) => `\\u${unit}`).join('')
  })
}

/** Bytes as such a text; where they are not UTF-8, ASCII is left and each other byte is `\xNN`. */
export function escapedBytes(bytes: Uint8Array): string {
  try {
    return escaped(strictDecoder.decode(bytes))
  } catch {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    return text.replaceAll(/[^\x20-\x7e]/g, (found) => names[found] ?? `\\x${hex(found.charCodeAt(0), 2)}`)
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}
