/** What topics remember of the ids of their messages: over restarts, from all threads, for as long as they are told to. */
import path from 'node:path'
import { connect, json, open } from 'bookend'
import { expect, it } from 'vitest'
import { collect, openLog, segmentNames, temporaryFolder } from './support.js'

it('ids are known after a restart, in sealed segments too, and in a backup', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const topic = log.topic('t')
  for (let index = 0; index < 40; index++) {
    expect(await topic.append(new Uint8Array(60_000), { id: `id ${index}` })).toBe(index)
    await log.topic('others').append(new Uint8Array(1_000))
  }
  expect(segmentNames(directory).length).toBeGreaterThan(3)
  const copy = path.join(temporaryFolder(), 'copy')
  await log.backup(copy)
  await log.close()
  for (const where of [directory, copy]) {
    const again = await openLog(where)
    for (let index = 39; index >= 0; index--)
      expect(await again.topic('t').append(new Uint8Array(1), { id: `id ${index}` })).toBe(index)
    expect(await again.topic('t').append(new Uint8Array(1), { id: 'another' })).toBe(40)
    expect((await collect(again.topic('t').read())).length).toBe(41)
    await again.close()
  }
})

it('an id is forgotten when its window is over, in this life and in the next', async () => {
  const directory = temporaryFolder()
  const options = { codec: json, dedupe: { windowMs: 5 } }
  const log = await openLog(directory)
  const later = async () => {
    const from = Date.now()
    while (Date.now() <= from + 10) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  expect(await log.topic('t', options).append(1, { id: 'x' })).toBe(0)
  await later()
  expect(await log.topic('t', options).append(2, { id: 'x' })).toBe(1)
  await log.close()
  await later()
  const again = await openLog(directory)
  expect(await again.topic('t', options).append(3, { id: 'x' })).toBe(2)
  // Who asks further back is answered out of the log: with the first that there is.
  expect(await again.topic('t', { codec: json }).append(4, { id: 'x' })).toBe(0)
})

it('of more ids than a topic remembers the oldest are forgotten', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: json, dedupe: { max: 10 } })
  for (let index = 0; index < 20; index++) expect(await topic.append(index, { id: `id ${index}` })).toBe(index)
  expect(await topic.append('again', { id: 'id 15' })).toBe(15)
  expect(await topic.append('again', { id: 'id 3' })).toBe(20)
})

it('what damage has taken is passed over: ids around it are known', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  for (let index = 0; index < 10; index++) await log.topic('t').append(new Uint8Array(60_000), { id: `id ${index}` })
  await log.flush('disk')
  await log.close()
  const { openSync, writeSync, closeSync } = await import('node:fs')
  const file = openSync(path.join(directory, 'log', segmentNames(directory)[0]), 'r+')
  writeSync(file, Buffer.alloc(100, 7), 0, 100, 250_000)
  closeSync(file)
  const again = await open(directory, { readers: 1 })
  const known = []
  for (let index = 0; index < 10; index++) {
    const { next } = await again.topic('t').bounds()
    known.push((await again.topic('t').append(new Uint8Array(1), { id: `id ${index}` })) < next)
  }
  expect(known.filter((isKnown) => !isKnown).length).toBe(1)
  await again.close()
})

it('ids of before are known to attached threads, and where a thread cannot wait for them to be read', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  for (const name of ['a', 'b', 'c'])
    for (let index = 0; index < 30; index++) await log.topic(name).append(new Uint8Array(9_000), { id: `id ${index}` })
  await log.close()
  const again = await openLog(directory)
  const attached = await connect(await again.port())
  const inOrder = [
    attached.topic('a').append(new Uint8Array(1)),
    attached.topic('a').append(new Uint8Array(1), { id: 'id 7' }),
  ]
  expect(await Promise.all(inOrder)).toEqual([30, 7])
  const others = [
    again.topic('b').append(new Uint8Array(1), { id: 'id 8' }),
    again.topic('b').append(new Uint8Array(2)),
  ]
  again.flushSync('process')
  expect(await Promise.all(others)).toEqual([8, 30])
  // Closed while they are read: what was handed over is written, or known.
  const last = [again.topic('c').append(new Uint8Array(1), { id: 'id 9' }), again.topic('c').append(new Uint8Array(2))]
  await again.close()
  expect(await Promise.all(last)).toEqual([9, 30])
})
