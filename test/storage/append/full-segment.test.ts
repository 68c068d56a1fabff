import { expect, it } from 'vitest'
import { readAll } from '../../support/model.js'
import { StorageLog } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

it.each([0, 1, 8, 9, 40])(
  'has room for the index of all its records, %i bytes each, and of all its topics',
  async (bytes) => {
    const log = new StorageLog(simulatedWorld())
    const names = Array.from({ length: 60 }, (_, id) => `${id}-`.padEnd(1 + ((id * 37) % 200), 'x'))
    log.append(names.map((name, topic) => ({ declare: name, topic })))
    for (let serial = 0; log.tail.segment < 2; serial++) {
      const run = Array.from({ length: 700 }, (_, index) => ({
        topic: (serial * 7 + (index >>> 4)) % names.length,
        value: new Uint8Array(bytes),
      }))
      log.append(run)
    }
    const counts = names.map((_, topic) => log.tail.next(topic))
    // Throws where the index would run into the data.
    await log.index()
    expect(log.indexed).toBe(2 << 20)
    for (const topic of [0, 31, 59]) {
      expect(readAll(log.reader, topic, 0, counts[topic], 'borrowed')).toHaveLength(counts[topic])
    }
  },
)
