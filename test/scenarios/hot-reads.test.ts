import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { bytes, text } from 'bookend'
import { describe, expect, it } from 'vitest'
import { canTell, untilDropped } from '../support/page-cache.js'
import { collect, openLog, temporaryFolder, until } from './support.js'

/** Not in memory: there is no page cache there that could be asked. */
const folder = () => temporaryFolder(os.tmpdir())

describe.skipIf(!canTell(os.tmpdir()))('what is in memory', () => {
  it('is read without a reader thread, once it was asked for: get, getMany, peek, the first chunk of a stream', async () => {
    const log = await openLog(folder())
    const topic = log.topic('t', { codec: text })
    await topic.appendMany(Array.from({ length: 2_000 }, (_, index) => `m${index}`))
    const others = log.topic('others', { codec: text })
    const queue = log.queue('q', { codec: text })
    await queue.push('first')
    await until('it is open', async () => {
      const { hot } = log.stats().readers
      await topic.get(3)
      return log.stats().readers.hot > hot
    })
    // The kernel may take memory back at any time, so one round of many is enough.
    await until('no thread was asked', async () => {
      const { tasks } = log.stats().readers
      for (const offset of [0, 999, 1_999]) expect((await topic.get(offset))?.value).toBe(`m${offset}`)
      expect(await topic.get(2_000)).toBeUndefined()
      const offsets = Array.from({ length: 99 }, (_, index) => (index * 179) % 2_100)
      const values = (await topic.getMany(offsets)).map((message) => message?.value)
      expect(values).toEqual(offsets.map((offset) => (offset < 2_000 ? `m${offset}` : undefined)))
      expect(await queue.peek()).toBe('first')
      for await (const { value } of topic.read({ from: 1_990, to: 1_995 })) {
        expect(value).toBe('m1990')
        break
      }
      // At once, whoever appended it a moment ago.
      const offset = await others.append('new')
      expect((await others.get(offset))?.value).toBe('new')
      return log.stats().readers.tasks === tasks
    })
    // A long list is looked up by others as well, each a part of it.
    const { hot, tasks } = log.stats().readers
    const long = Array.from({ length: 3_000 }, (_, index) => (index * 7) % 2_100)
    const all = (await topic.getMany(long)).map((message) => message?.value)
    expect(all).toEqual(long.map((offset) => (offset < 2_000 ? `m${offset}` : undefined)))
    expect(log.stats().readers.tasks).toBeGreaterThan(tasks)
    expect(log.stats().readers.hot).toBeGreaterThan(hot)
  })

  it('and what is not is read by a reader thread, to the same end', async () => {
    const directory = folder()
    const log = await openLog(directory, { segmentBytes: 1 << 20 })
    const topic = log.topic('t', { codec: bytes })
    const value = (index: number) => new Uint8Array(1_000).fill(index)
    for (let index = 0; index < 3_000; index++) while (!topic.offer(value(index))) await topic.ready()
    await log.flush('disk')
    await until('they have an index', () => log.stats().positions.indexed >= 2 << 20)
    await until('it is open', async () => {
      await topic.get(0)
      return log.stats().readers.hot > 5
    })
    // Whoever takes long messages faster than a reader thread sends them reads on by himself, and keeps what he has got.
    await until('a stream reads on', async () => {
      const { hot } = log.stats().readers
      const values = (await collect(topic.read())).map((message) => message.value)
      expect(values.findIndex((each, index) => Buffer.compare(each, value(index)) !== 0)).toBe(-1)
      expect(values).toHaveLength(3_000)
      // More than the first chunk.
      return log.stats().readers.hot > hot + 1
    })
    const { tasks } = log.stats().readers
    // What a thread still maps stays.
    await untilDropped(path.join(directory, 'log', '00000000000001048576.seg'), async () => {
      for (let index = 1_200; index < 1_700; index += 49) expect((await topic.get(index))?.value).toEqual(value(index))
      return log.stats().readers.tasks > tasks
    })
    expect((await collect(topic.read())).map((message) => message.offset)).toEqual(
      Array.from({ length: 3_000 }, (_, index) => index),
    )
  })

  it('does not keep the event loop from turning, however long one asks', async () => {
    const log = await openLog(folder())
    const topic = log.topic('t', { codec: text })
    await topic.append('a')
    let turned = false
    setTimeout(() => {
      turned = true
    }, 20)
    // It would never end.
    while (!turned) await topic.get(0)
    turned = false
    setTimeout(() => {
      turned = true
    }, 20)
    while (!turned) await topic.getMany([0, 0])
  })

  it('keeps no space of deleted segments, and no file once the log is closed', async () => {
    const directory = folder()
    const log = await openLog(directory, { segmentBytes: 1 << 20 })
    const topic = log.topic('t', { codec: bytes })
    for (let index = 0; index < 4_000; index++) while (!topic.offer(new Uint8Array(1_000))) await topic.ready()
    await log.flush('disk')
    for (let index = 0; index < 4_000; index += 20) await topic.get(index)
    await until('it is open', async () => {
      await topic.get(10)
      return openSegments(directory).length > 3
    })
    await topic.trim(3_500)
    await until('they are closed', () => openSegments(directory).every((name) => !name.endsWith('(deleted)')))
    expect((await topic.get(3_600))?.offset).toBe(3_600)
    expect(await topic.get(3_000)).toBeUndefined()
    await log.close()
    expect(openSegments(directory)).toEqual([])
  })
})

/** Segments of the log that this process has open. */
function openSegments(directory: string): string[] {
  return fs.readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const target = fs.readlinkSync(`/proc/self/fd/${descriptor}`)
      return target.startsWith(directory) && target.includes('.seg') ? [target] : []
    } catch {
      return []
    }
  })
}
