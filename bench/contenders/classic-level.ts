import { join } from 'node:path'
import { requirePackage } from '../peer-packages.js'
import { type ReadCount, type Store, type StoreOptions, valueAt } from './contender.js'

/** The little of classic-level that is used here; its own types are not installed beside the root's. */
interface Level {
  open(): Promise<void>
  put(key: Uint8Array, value: Uint8Array, options: { sync: boolean }): Promise<void>
  batch(operations: readonly { type: 'put'; key: Uint8Array; value: Uint8Array }[]): Promise<void>
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  iterator(options: { limit: number }): {
    nextv(size: number): Promise<[Uint8Array, Uint8Array][]>
    close(): Promise<void>
  }
  keys(options: { reverse: boolean; limit: number }): { all(): Promise<Uint8Array[]> }
  close(): Promise<void>
}
interface Package {
  ClassicLevel: new (path: string, options: Readonly<Record<string, unknown>>) => Level
}

const batchSize = 1000
const keyBytes = 8

function keyOf(offset: number): Uint8Array {
  const key = Buffer.allocUnsafe(keyBytes)
  key.writeBigUInt64BE(BigInt(offset))
  return key
}

/** LevelDB through its Node binding. */
export async function openLevel(options: StoreOptions): Promise<Store> {
  const { ClassicLevel } = requirePackage<Package>(options.packageDirectory, 'classic-level')
  const level = new ClassicLevel(join(options.directory, 'level'), { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  const sync = options.level === 'disk'
  const [last] = await level.keys({ reverse: true, limit: 1 }).all()
  let nextOffset = last === undefined ? 0 : Number(Buffer.from(last).readBigUInt64BE()) + 1

  async function appendBatches(messages: number, values: readonly Uint8Array[], size: number): Promise<void> {
    for (let done = 0; done < messages; done += size) {
      const length = Math.min(size, messages - done)
      const operations = Array.from({ length }, (_, index) => {
        return { type: 'put' as const, key: keyOf(nextOffset + index), value: valueAt(values, done + index) }
      })
      nextOffset += length
      await level.batch(operations)
    }
  }

  return {
    append: (messages, values) => appendBatches(messages, values, batchSize),
    appendBatches,
    appendOne: (value) => level.put(keyOf(nextOffset++), value, { sync }),

    async read(limit = -1): Promise<ReadCount> {
      const iterator = level.iterator({ limit })
      let messages = 0
      let bytes = 0
      for (let entries = await iterator.nextv(batchSize); entries.length > 0; ) {
        messages += entries.length
        for (const [, value] of entries) bytes += value.length
        entries = await iterator.nextv(batchSize)
      }
      await iterator.close()
      return { messages, bytes }
    },

    get: (offset) => level.get(keyOf(offset)),
    getMany: (offsets) => level.getMany(offsets.map(keyOf)),
    count: () => nextOffset,
    close: () => level.close(),
  }
}
