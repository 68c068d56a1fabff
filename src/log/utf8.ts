/** Short strings as UTF-8: `TextEncoder` takes microseconds for each, whatever its length. */

const encoder = new TextEncoder()
/** From here on it is the faster one. */
const shortLength = 96
const firstOfSeveralBytes = 0x80

/** Bytes of their own, which may be given to other threads. */
export function utf8(text: string): Uint8Array {
  const { length } = text
  if (length > shortLength) return encoder.encode(text)
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at++) {
    const unit = text.charCodeAt(at)
    if (unit >= firstOfSeveralBytes) return encoder.encode(text)
    bytes[at] = unit
  }
  return bytes
}

/** It has a byte for each character, and is no longer than what is looked at in a moment. */
export function isShortAscii(text: string): boolean {
  if (text.length > shortLength) return false
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) >= firstOfSeveralBytes) return false
  return true
}
