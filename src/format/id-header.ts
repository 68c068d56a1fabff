/**
 * Headers that are an id and nothing else, `{"bookend-id":"..."}`, where the id is short and takes no escapes, as ids mostly do: written right into the frame, and found
 * there by the writer. Arrays of their own for each message are more than half of what it costs to name it.
 */
import type { Extras } from '../engine/terms.js'
import { idHeader } from '../limits.js'

const front = Buffer.from(`{"${idHeader}":"`)
const back = Buffer.from('"}')
/** What stands around the id. */
const aroundBytes = front.length + back.length
/** From here on others write it faster. */
const shortLength = 96
const firstPrintable = 0x20
const firstOfSeveralBytes = 0x80
const [quote, backslash] = Buffer.from('"\\')

/** A byte for each character, and none of them escaped. */
export function isPlainId(id: string): boolean {
  if (id.length > shortLength) return false
  for (let at = 0; at < id.length; at++) {
    const unit = id.charCodeAt(at)
    if (unit < firstPrintable || unit >= firstOfSeveralBytes || unit === quote || unit === backslash) return false
  }
  return true
}

/** Of a message that has no other headers. Of this thread: what is sent to others has headers made of bytes. */
export class IdExtras implements Extras {
  readonly key: Uint8Array | undefined
  readonly plainId: string

  /** @param plainId see {@link isPlainId} */
  constructor(key: Uint8Array | undefined, plainId: string) {
    this.key = key
    this.plainId = plainId
  }

  get headers(): Uint8Array {
    const bytes = new Uint8Array(aroundBytes + this.plainId.length)
    writeIdHeader(bytes, 0, this.plainId)
    return bytes
  }
}

/** Of a message's headers as they are stored; none: 0. */
export function headersLength(extras: Extras): number {
  const { plainId } = extras
  // Asked for its headers, an id would make them.
  return plainId === undefined ? (extras.headers?.length ?? 0) : aroundBytes + plainId.length
}

/** Bytes of key and headers. */
export function extrasLength(extras: Extras): number {
  return (extras.key?.length ?? 0) + headersLength(extras)
}

/** @returns where they end */
export function writeIdHeader(bytes: Uint8Array, start: number, id: string): number {
  let at = start
  for (let index = 0; index < front.length; index++) bytes[at++] = front[index]
  for (let index = 0; index < id.length; index++) bytes[at++] = id.charCodeAt(index)
  bytes[at] = back[0]
  bytes[at + 1] = back[1]
  return at + back.length
}

/** Where the id begins in such headers, and how many bytes of them are not the id. */
export const idInHeader = { start: front.length, around: aroundBytes } as const
