/**
 * The head of a zstd frame, as far as one call makes it of bytes that are at hand (RFC 8878, 3.1.1).
 *
 * ```
 *   magic u32 | descriptor u8: bits 6 and 7 how the length is written, bit 5 one segment, bits 0 and 1 a dictionary | length
 * ```
 */
const descriptorAt = 4
const lengthAt = 5
const longestHead = 9
/** One segment, and no dictionary: then the length stands right behind. */
const plain = { mask: 0b0010_0011, value: 0b0010_0000 }

/** How many bytes it unpacks to, by what it says itself. -1: it does not say, or is made otherwise. */
export function zstdLength(frame: Uint8Array): number {
  if (frame.length <= longestHead || (frame[descriptorAt] & plain.mask) !== plain.value) return -1
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  const size = frame[descriptorAt] >>> 6
  if (size === 0) return view.getUint8(lengthAt)
  // From here on the lengths that one byte has are not needed.
  if (size === 1) return view.getUint16(lengthAt, true) + 256
  return size === 2 ? view.getUint32(lengthAt, true) : -1
}
