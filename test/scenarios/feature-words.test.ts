/** What a log says of itself before it holds the first of it, so that a release that does not know it leaves it alone. */
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { Log, Topic } from 'bookend'
import { expect, it } from 'vitest'
import { decodeControlIdentity } from '../../src/format/control-layout.js'
import { repairedLog } from '../support/repaired-log.js'
import { realWorld } from '../support/worlds.js'
import { collect, openLog, temporaryFolder } from './support.js'

const wordsOf = (directory: string) => decodeControlIdentity(readFileSync(path.join(directory, 'control')))?.features

it('a log says that it holds transactions with the first register or acknowledgement, and not before', async () => {
  const says = { compatible: 0, readOnlyCompatible: 1, incompatible: 0 }
  for (const what of ['register', 'acknowledgement'] as const) {
    const log = await openLog()
    const [a, b] = [log.topic('a'), log.topic('b')]
    await log.transaction((tx) => {
      tx.append(a, new Uint8Array(1))
      tx.append(b, new Uint8Array(1))
    })
    expect(wordsOf(log.directory)).toEqual({ ...says, readOnlyCompatible: 0 })
    if (what === 'register') await log.transaction((tx) => tx.set('n', 1))
    else
      for await (const delivery of a.group('g').consume()) {
        await log.transaction((tx) => tx.ack(delivery))
        break
      }
    expect(wordsOf(log.directory)).toEqual(says)
    const copy = path.join(temporaryFolder(), 'copy')
    await log.backup(copy)
    expect(wordsOf(copy)).toEqual(says)
    await log.close()
    rmSync(path.join(log.directory, 'control'))
    const { dispose, ...tools } = realWorld('file')
    dispose()
    repairedLog({ ...tools, dispose, directory: log.directory })
    expect(wordsOf(log.directory)).toEqual(says)
  }
})

it('a log says that messages of it expire before it holds the first, however that is appended, and knows it again', async () => {
  const says = { compatible: 0, readOnlyCompatible: 2, incompatible: 0 }
  const ways: Record<string, (topic: Topic<Uint8Array>, log: Log) => Promise<unknown>> = {
    append: (topic) => topic.append(new Uint8Array(1), { expiresAt: 1 }),
    large: (topic) => topic.append(new Uint8Array(60_000), { expiresAt: 1 }),
    many: (topic) => topic.appendMany([new Uint8Array(1), new Uint8Array(1)], { expiresAt: 1, expectedOffset: 1 }),
    offer: async (topic, log) => {
      expect(topic.offer(new Uint8Array(1), { expiresAt: 1 })).toBe(true)
      await log.flush()
    },
    transaction: (topic, log) => log.transaction((tx) => tx.append(topic, new Uint8Array(1), { expiresAt: 1 })),
  }
  for (const [way, append] of Object.entries(ways)) {
    const options = { ringBytes: 128 * 1024 }
    const log = await openLog(temporaryFolder(), options)
    const topic = log.topic('t')
    expect(await topic.append(new Uint8Array([1]))).toBe(0)
    expect(wordsOf(log.directory), way).toEqual({ ...says, readOnlyCompatible: 0 })
    const before = append(topic, log)
    // Behind it, whatever that waits for.
    const last = await topic.append(new Uint8Array([2]))
    await before
    // Its builder may wait, and so it is handed over later.
    if (way !== 'transaction') expect(last, way).toBe((await topic.bounds()).next - 1)
    expect(wordsOf(log.directory), way).toEqual(says)
    expect((await collect(topic.read())).map(({ offset }) => offset)).toEqual([0, last])
    await log.close()
    if (way === 'append') {
      rmSync(path.join(log.directory, 'control'))
      const { dispose, ...tools } = realWorld('file')
      dispose()
      repairedLog({ ...tools, dispose, directory: log.directory })
      expect(wordsOf(log.directory)).toEqual(says)
    }
    const again = await openLog(log.directory, options)
    expect(await again.topic('t').count()).toBe(2)
    expect(await again.topic('t').group('g').position()).toMatchObject({ lag: 2 })
    await again.close()
  }
})
