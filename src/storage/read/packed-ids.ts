/**
 * Ids of messages on their way from the thread that has read them to the writer: bytes, which every thread between passes on without a
 * look at them.
 *
 * ```
 *   0 offset f64 | 8 time f64 | 16 bytes of the id u32 | 20 the id, in UTF-8 | the next one
 * ```
 */
import type { RecalledId } from './recalled-ids.js'

const fixedBytes = 20

export function packIds(ids: readonly RecalledId[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ids.reduce((sum, { id }) => sum + fixedBytes + id.length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const { id, offset, time } of ids) {
    view.setFloat64(at, offset)
    view.setFloat64(at + 8, time)
    view.setUint32(at + 16, id.length)
    bytes.set(id, at + fixedBytes)
    at += fixedBytes + id.length
  }
  return bytes
}

/** Views of `bytes`. */
export function* unpackIds(bytes: Uint8Array): IterableIterator<RecalledId> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at < bytes.length; ) {
    const end = at + fixedBytes + view.getUint32(at + 16)
    yield {
      id: bytes.subarray(at + fixedBytes, end),
      offset: view.getFloat64(at),
      time: view.getFloat64(at + 8),
    }
    at = end
  }
}
