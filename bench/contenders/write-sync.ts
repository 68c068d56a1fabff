import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type ReadCount, type Store, type StoreOptions, valueAt } from './contender.js'

const bufferBytes = 64 * 1024
const lengthBytes = 4

/** What an application writes that has no log: length-prefixed records, buffered, straight to a file. */
export function openWriteSync(options: StoreOptions): Store {
  const descriptor = openSync(join(options.directory, 'records.bin'), 'a+')
  const buffer = Buffer.alloc(bufferBytes)
  const lengths = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
  let used = 0

  function flush(): void {
    for (let at = 0; at < used; ) at += writeSync(descriptor, buffer, at, used - at)
    used = 0
  }

  function put(value: Uint8Array): void {
    if (used + lengthBytes + value.length > bufferBytes) flush()
    lengths.setUint32(used, value.length, true)
    buffer.set(value, used + lengthBytes)
    used += lengthBytes + value.length
  }

  return {
    async append(messages, values) {
      for (let index = 0; index < messages; index++) put(valueAt(values, index))
      flush()
    },

    appendOne(value) {
      put(value)
      flush()
      return undefined
    },

    async read(limit = Number.POSITIVE_INFINITY): Promise<ReadCount> {
      let messages = 0
      let bytes = 0
      let kept = 0
      for (let position = 0; messages < limit; ) {
        const got = readSync(descriptor, buffer, kept, bufferBytes - kept, position)
        if (got === 0) break
        position += got
        const filled = kept + got
        let at = 0
        while (at + lengthBytes <= filled && messages < limit) {
          const end = at + lengthBytes + lengths.getUint32(at, true)
          if (end > filled) break
          // A copy, since the application keeps it and the buffer is used again.
          const value = Uint8Array.prototype.slice.call(buffer, at + lengthBytes, end)
          messages++
          bytes += value.length
          at = end
        }
        buffer.copyWithin(0, at, filled)
        kept = filled - at
      }
      return { messages, bytes }
    },

    async close() {
      flush()
      closeSync(descriptor)
    },
  }
}
