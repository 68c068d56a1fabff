import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requirePackage } from '../peer-packages.js'
import { type Store, type StoreOptions, valueAt } from './contender.js'

/** The little of sonic-boom that is used here. */
interface Stream extends NodeJS.EventEmitter {
  write(record: Uint8Array): boolean
  flush(done: (error?: Error) => void): void
  end(): void
}
type SonicBoom = new (options: Readonly<Record<string, unknown>>) => Stream

const lengthBytes = 4
const bufferBytes = 64 * 1024

/** The stream under pino: buffers in the application's thread, written by libuv's. */
export async function openSonicBoom(options: StoreOptions): Promise<Store> {
  const SonicBoom = requirePackage<SonicBoom>(options.packageDirectory, 'sonic-boom')
  const stream = new SonicBoom({
    dest: join(options.directory, 'records.bin'),
    contentMode: 'buffer',
    minLength: bufferBytes,
    maxWrite: 2 * bufferBytes,
    sync: false,
  })
  await once(stream, 'ready')
  const flush = promisify<void>((done) => stream.flush((error) => done(error ?? null)))
  const framed = new Map<Uint8Array, Uint8Array>()

  function frameOf(value: Uint8Array): Uint8Array {
    let frame = framed.get(value)
    if (frame === undefined) {
      const made = Buffer.alloc(lengthBytes + value.length)
      made.writeUInt32LE(value.length)
      made.set(value, lengthBytes)
      framed.set(value, made)
      frame = made
    }
    return frame
  }

  return {
    async append(messages, values) {
      for (let index = 0; index < messages; index++) {
        if (!stream.write(frameOf(valueAt(values, index)))) await once(stream, 'drain')
      }
      await flush()
    },

    async close() {
      const closed = once(stream, 'close')
      stream.end()
      await closed
    },
  }
}
