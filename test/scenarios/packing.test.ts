import { readdirSync } from 'node:fs'
import path from 'node:path'
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { fixtureUrl } from '../support/fixtures.js'
import { collect, failureOf, openLog, temporaryFolder, until } from './support.js'

for (const io of ['mmap', 'file'] as const) {
  it(`packed segments are read in every way, by everybody, and after the next start (io ${io})`, async () => {
    const directory = temporaryFolder()
    const compress = { afterMs: 0, codec: 'deflate' } as const
    let log = await openLog(directory, { io, flushIntervalMs: 20, readers: 2, compress })
    const sent: string[] = []
    const write = async (count: number) => {
      const topic = log.topic('notes', { codec: text, index: { keys: true, headers: ['type'] } })
      for (let number = 0; number < count; number++) {
        const value = `note ${sent.length} `.repeat(1_500)
        await topic.append(value, { key: `k${sent.length % 7}`, headers: { type: `t${sent.length % 5}` } })
        sent.push(value)
      }
    }
    const allPacked = async () => {
      const sealed = (await log.segments()).filter(({ state }) => state === 'sealed')
      return sealed.length > 0 && sealed.every(({ packed }) => packed !== undefined)
    }
    await write(200)
    const follower = await openLog(directory, { readOnly: true, follow: true, io })
    const followed = follower.topic('notes', { codec: text }).read()
    expect((await followed.next()).value).toMatchObject({ offset: 0 })
    const early = log.topic('notes', { codec: text }).read()
    expect((await early.next()).value).toMatchObject({ offset: 0 })
    await until('the sealed segments are packed', allPacked)
    await write(100)
    await until('those that came since are packed', allPacked)
    expect(log.stats().segments).toMatchObject({ rewrites: 0 })
    expect(log.stats().segments.packed).toBeGreaterThanOrEqual(2)
    expect(log.stats().segments.packedAwayBytes).toBeGreaterThan(1 << 20)
    for (const { state, packed, packing, diskBytes } of await log.segments()) {
      if (state !== 'sealed') continue
      expect(packing).toEqual({ state: 'packed', at: undefined })
      expect(packed?.codec).toBe('deflate')
      expect(packed?.ratio).toBeGreaterThan(3)
      expect(diskBytes).toBeLessThan((1 << 20) / 2)
    }
    const values = (messages: { value: string }[]) => messages.map(({ value }) => value)
    expect(values(await collect(early))).toEqual(sent.slice(1, 200))
    const rest = follower.topic('notes', { codec: text })
    expect(values(await collect(rest.read({ from: 1, to: sent.length })))).toEqual(sent.slice(1))
    for (const isReopened of [false, true]) {
      if (isReopened) {
        await log.close()
        log = await openLog(directory, { io })
      }
      const topic = log.topic('notes', { codec: text, index: { keys: true, headers: ['type'] } })
      expect(values(await collect(topic.read()))).toEqual(sent)
      const offsets = sent.map((_, offset) => offset)
      expect((await topic.getMany(offsets)).map((message) => message?.value)).toEqual(sent)
      expect((await topic.get(7))?.value).toBe(sent[7])
      expect((await topic.last('k3'))?.offset).toBe(offsets.findLast((offset) => offset % 7 === 3))
      const keyed = (await collect(topic.byKey('k3', { limit: 1_000 }))).map(({ offset }) => offset)
      expect(keyed.reverse()).toEqual(offsets.filter((offset) => offset % 7 === 3))
      expect(await topic.count({ where: { type: 't2' } })).toBe(offsets.filter((offset) => offset % 5 === 2).length)
      expect(await topic.offsetAt(0)).toBe(0)
      const found = await topic.scan<{ offset: number }[]>(fixtureUrl('scan-offsets.mjs'))
      expect(found.map(({ offset }) => offset)).toEqual(offsets)
      let seen = 0
      for await (const delivery of topic.group(`g${isReopened}`).consume({ from: 'first' })) {
        expect(delivery.value).toBe(sent[delivery.offset])
        await delivery.ack()
        seen += 1
        if (seen === sent.length) break
      }
    }
    const copy = path.join(temporaryFolder(), 'copy')
    await log.backup(copy)
    const copied = await openLog(copy, { io })
    expect(values(await collect(copied.topic('notes', { codec: text }).read()))).toEqual(sent)
    // What is packed stays so without the option.
    expect((await copied.segments()).some(({ packed }) => packed !== undefined)).toBe(true)
    expect(readdirSync(path.join(directory, 'log')).filter((name) => name.endsWith('.new'))).toEqual([])
  })
}

it('what cannot be packed so is refused before anything is there', async () => {
  const directory = temporaryFolder()
  for (const compress of [{}, { afterMs: -1 }, { afterMs: 1, codec: 'gzip' }, { afterMs: 1, level: 3 }, 5])
    expect(await failureOf(() => openLog(directory, { compress: compress as never }))).toBeInstanceOf(Error)
  if (!process.versions.node.startsWith('20.')) return
  const error = await failureOf(() => openLog(directory, { compress: { afterMs: 1, codec: 'zstd' } }))
  expect(error.message).toContain('needs Node 22.15 or later')
  expect(readdirSync(directory)).toEqual([])
})
