/**
 * What each byte means to the counter: 0 separates words; anything else belongs to one and is the byte to count it
 * under, ASCII capitals folded. Bytes above 127 are parts of UTF-8 characters, of which a byte alone cannot tell whether
 * they are letters: they stay in the run, and the run is looked at again, as text, once per distinct run.
 */
export const FOLDED: Uint8Array = foldTable()

/** Whether a word may go on with this byte. */
export function isWordByte(byte: number): boolean {
  return FOLDED[byte] !== 0
}

function foldTable(): Uint8Array {
  const table = new Uint8Array(256)
  for (let byte = 0; byte < 256; byte++) {
    const character = String.fromCharCode(byte)
    if (byte >= 0x80) table[byte] = byte
    else if (/\w/.test(character)) table[byte] = character.toLowerCase().charCodeAt(0)
  }
  return table
}
