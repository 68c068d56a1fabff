/**
 * The id of a log: 16 random bytes, written once. Files that can be mistaken for those of another log carry the first 8 of them,
 * its mark, so that nothing of one log is ever delivered, moved on or deleted as another's.
 *
 * Zeros: not known. Logs from before there were ids have them everywhere, and keep them.
 */

export const logIdBytes = 16
export const logMarkBytes = 8

/** 32 hex digits. */
export const unknownLogId = '0'.repeat(2 * logIdBytes)

/** @param draw where the random bytes come from */
export function newLogId(
  draw: (length: number) => Buffer = process.getBuiltinModule('node:crypto').randomBytes,
): string {
  const bytes = draw(logIdBytes)
  // A mark of zeros would say that it is not known.
  bytes[0] |= 1
  return bytes.toString('hex')
}

/** The part of an id that segments and the groups file carry: 16 hex digits. */
export function logMarkOf(id: string): string {
  return id.slice(0, 2 * logMarkBytes)
}

/** The id of a log of which only the mark is left. */
export function logIdFromMark(mark: string): string {
  return mark.padEnd(2 * logIdBytes, '0')
}

export function isKnownLogId(idOrMark: string): boolean {
  return /[1-9a-f]/.test(idOrMark)
}

/** For people. */
export function logIdText(idOrMark: string): string {
  return isKnownLogId(idOrMark) ? idOrMark : 'not known'
}

export function putHex(bytes: Uint8Array, at: number, hex: string): void {
  bytes.set(Buffer.from(hex, 'hex'), at)
}

export function takeHex(bytes: Uint8Array, at: number, length: number): string {
  return Buffer.from(bytes.subarray(at, at + length)).toString('hex')
}
