/** Behaviour ported from the tests of bigqueue (BigArray, its time index, its load tests), to what applies to a log. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { text } from 'bookend'
import { expect, it } from 'vitest'
import { isPayload, payload } from '../fixtures/payload.mjs'
import { collect, openLog, seeded, temporaryFolder, until } from './support.js'

it('appending moves the end by one and nothing else, and content stays over a flush (BigArray.simpleTest)', async () => {
  const log = await openLog()
  const topic = log.topic('array', { codec: text })
  expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
  for (let number = 0; number < 20; number++) {
    expect(await topic.append(`m${number}`)).toBe(number)
    expect(await topic.bounds()).toEqual({ first: 0, next: number + 1 })
    expect(await topic.get(number + 1)).toBeUndefined()
    if (number % 5 === 0) await log.flush('disk')
    expect((await topic.get(number))?.value).toBe(`m${number}`)
  }
  await topic.trim(20)
  expect(await topic.bounds()).toEqual({ first: 20, next: 20 })
  await topic.trim(20)
  expect(await topic.append('again')).toBe(20)
})

it('a long loop keeps order, monotone times and every byte, sequentially, shuffled and reopened (BigArray.bigLoopTest)', async () => {
  const directory = temporaryFolder()
  const count = 60_000
  let log = await openLog(directory, { segmentBytes: 2 << 20 })
  const before = Date.now()
  const topic = log.topic('array')
  const value = (number: number) => payload(number, 16 + (number % 90))
  for (let number = 0; number < count; number++) while (!topic.offer(value(number))) await topic.ready()
  await log.flush()
  expect((await topic.bounds()).next).toBe(count)
  const after = Date.now()
  for (const isReopened of [false, true]) {
    if (isReopened) {
      await log.close()
      log = await openLog(directory, { segmentBytes: undefined })
    }
    const reopened = log.topic('array')
    let next = 0
    let last = before
    for await (const batch of reopened.read().batches()) {
      for (const { offset, timestamp, value: bytes } of batch) {
        if (offset !== next || timestamp < last || timestamp > after || Buffer.compare(bytes, value(offset)) !== 0)
          expect.fail(`message ${offset} after ${next - 1} of ${timestamp} after ${last}`)
        last = timestamp
        next += 1
      }
    }
    expect(next).toBe(count)
    const random = seeded(5)
    const shuffled = Array.from({ length: 3_000 }, () => Math.floor(random() * count))
    const messages = await reopened.getMany(shuffled)
    expect(
      messages.every((message, at) => Buffer.compare(message?.value as Uint8Array, value(shuffled[at])) === 0),
    ).toBe(true)
  }
  expect(await log.topic('array').append(value(count))).toBe(count)
})

it('after a trim the end stays, the first can be read, the one below not, down to a single message (removeBefore)', async () => {
  const directory = temporaryFolder()
  const count = 20_000
  let log = await openLog(directory)
  await log.topic('array').appendMany(Array.from({ length: count }, (_, number) => payload(number, 12)))
  for (const first of [1, 5_000, 19_999]) {
    const topic = log.topic('array')
    await topic.trim(first)
    expect(await topic.bounds()).toEqual({ first, next: count })
    expect((await topic.get(first))?.value).toEqual(payload(first, 12))
    expect(await topic.get(first - 1)).toBeUndefined()
    await log.close()
    log = await openLog(directory)
  }
  expect((await collect(log.topic('array').read())).length).toBe(1)
})

it('while old messages are trimmed every few, what survives is intact (removeBeforeIndexDataCorruption)', async () => {
  const log = await openLog(undefined, { mapTtlMs: 20, flushIntervalMs: 5 })
  const topic = log.topic('array')
  const total = 4_000
  let isDone = false
  let checked = 0
  const reading = (async () => {
    while (!isDone) {
      const { first, next } = await topic.bounds()
      try {
        for await (const { offset, value } of topic.read({ from: first, to: next })) {
          if (!isPayload(offset, value)) expect.fail(`message ${offset} has other bytes`)
          checked += 1
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'BOOKEND_TRIMMED' })
      }
    }
  })()
  for (let number = 0; number < total; number += 10) {
    await topic.appendMany(Array.from({ length: 10 }, (_, index) => payload(number + index)))
    if (number % 200 !== 0) continue
    await topic.trim(Math.max(0, number - 600))
    // However slow the reader is on a busy machine, it sees something between two trims.
    const before = checked
    await until('the reader has read on', () => checked > before)
  }
  isDone = true
  await reading
  expect(checked).toBeGreaterThan(500)
  expect((await topic.bounds()).next).toBe(total)
})

it('a hundred messages some time apart are each found by their time (FanOut.findClosestIndexTest)', async () => {
  const log = await openLog()
  const topic = log.topic('times', { codec: text })
  const times: number[] = []
  for (let number = 0; number < 100; number++) {
    const before = Date.now()
    while (Date.now() === before);
    times.push(Date.now())
    await topic.append(`${number}`)
  }
  for (const [number, time] of times.entries()) expect(await topic.offsetAt(time)).toBe(number)
  expect(await topic.offsetAt(times[0] - 10_000)).toBe(0)
  expect(await topic.offsetAt(times[99] + 10_000)).toBe(100)
})

it('what many producers append in many ways is what many readers see, each message once (load tests)', async () => {
  const log = await openLog(undefined, { ringBytes: 64 << 10, readers: 2, mapTtlMs: 50 })
  const topic = log.topic('load', { codec: text })
  const producers = 6
  const each = 700
  const total = producers * each
  const readers = Array.from({ length: 4 }, async (_, index) => {
    const seen: string[] = []
    const stream = topic.read({ follow: true, to: total })
    if (index % 2 === 0) for await (const { value } of stream) seen.push(value)
    else for await (const batch of stream.batches()) for (const { value } of batch) seen.push(value)
    return seen
  })
  const sent: string[] = []
  const random = seeded(9)
  await Promise.all(
    Array.from({ length: producers }, async (_, producer) => {
      for (let number = 0; number < each; ) {
        const message = () => {
          const value = `${producer}:${number++}:${'x'.repeat(Math.floor(random() * 2_000))}`
          sent.push(value)
          return value
        }
        if (random() < 0.3) await topic.append(message())
        else if (random() < 0.5) await topic.appendMany(Array.from({ length: Math.min(5, each - number) }, message))
        else {
          const value = message()
          while (!topic.offer(value)) await topic.ready()
        }
      }
    }),
  )
  const wanted = [...sent].sort()
  for (const seen of await Promise.all(readers)) {
    expect([...seen].sort()).toEqual(wanted)
    // Of one producer they come in its order.
    for (let producer = 0; producer < producers; producer++) {
      const numbers = seen
        .filter((value) => value.startsWith(`${producer}:`))
        .map((value) => Number(value.split(':')[1]))
      expect(numbers).toEqual(numbers.map((_, index) => index))
    }
  }
})

/** A folder of log files, for whoever has one. */
const logs = process.env.BOOKEND_LOGHUB ?? ''
it.skipIf(!existsSync(logs))('real log files go through unchanged, line by line', async () => {
  const directory = temporaryFolder()
  const files = readdirSync(logs).filter((name) => name.endsWith('.log'))
  const lines = new Map(files.map((name) => [name, readFileSync(path.join(logs, name), 'latin1').split('\n')]))
  const latin1 = {
    encode: (line: string) => Buffer.from(line, 'latin1'),
    decode: (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1'),
  }
  let log = await openLog(directory)
  for (const [name, each] of lines) {
    const topic = log.topic(name, { codec: latin1 })
    for (const line of each) while (!topic.offer(line)) await topic.ready()
  }
  await log.close()
  log = await openLog(directory)
  expect(await log.topics()).toEqual([...files].sort())
  for (const [name, each] of lines) {
    const read: string[] = []
    for await (const batch of log.topic(name, { codec: latin1 }).read().batches())
      for (const { value } of batch) read.push(value)
    expect(read.join('\n') === each.join('\n'), name).toBe(true)
  }
})
