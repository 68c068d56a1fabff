import fs from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Store, type StoreOptions, valueAt } from './contender.js'

const lengthBytes = 4
const write = promisify(fs.write)
const fdatasync = promisify(fs.fdatasync)

/** Durable appends by hand: records gathered while one flush runs are written and flushed together by the next. */
export function openFdatasync(options: StoreOptions): Store {
  const descriptor = fs.openSync(join(options.directory, 'records.bin'), 'a')
  let gathered: Uint8Array[] = []
  let flushing: Promise<void> | undefined
  let next: Promise<void> | undefined

  async function flushGathered(): Promise<void> {
    const bytes = Buffer.concat(gathered)
    gathered = []
    for (let at = 0; at < bytes.length; ) at += (await write(descriptor, bytes, at, bytes.length - at)).bytesWritten
    await fdatasync(descriptor)
  }

  /** Starts when the flush under way is done; everybody who comes before then shares it. */
  function flushNext(): Promise<void> {
    next ??= (async () => {
      await flushing
      // Everything appended in the same turn comes along.
      await Promise.resolve()
      flushing = next
      next = undefined
      await flushGathered()
    })()
    return next
  }

  function put(value: Uint8Array): void {
    const length = Buffer.allocUnsafe(lengthBytes)
    length.writeUInt32LE(value.length)
    gathered.push(length, value)
  }

  return {
    async append(messages, values) {
      for (let index = 0; index < messages; index++) put(valueAt(values, index))
      await flushNext()
    },

    appendOne(value) {
      put(value)
      return flushNext()
    },

    async close() {
      await next
      await flushing
      fs.closeSync(descriptor)
    },
  }
}
