import fs from 'node:fs'
import type { BookendError, Log } from 'bookend'
import { expect, it } from 'vitest'
import {
  codedFailureOf,
  openLog,
  overwrite,
  placeOf,
  report,
  segmentFile,
  segmentNames,
  temporaryFolder,
  until,
} from './support.js'

const messageBytes = 40_000
const perSegment = 26

/** About four sealed segments; message n of topic "t" is filled with n + 1, every 10th message is of "other". */
async function filled(directory: string): Promise<Log> {
  const log = await openLog(directory)
  for (let number = 0; number < 110; number++) {
    await log.topic('t').append(new Uint8Array(messageBytes).fill(number + 1))
    if (number % 10 === 0) await log.topic('other').append(new Uint8Array(100).fill(number + 1))
  }
  return log
}

/** Reads everything that can be read, going on where errors say so. */
async function readAround(log: Log, name = 't') {
  const topic = log.topic(name)
  const { next } = await topic.bounds()
  const offsets: number[] = []
  const errors: BookendError[] = []
  for (let from = 0; from < next; ) {
    try {
      for await (const { offset, value } of topic.read({ from })) {
        expect(offset).toBe(from)
        if (name === 't') expect(value.every((byte) => byte === offset + 1)).toBe(true)
        offsets.push(offset)
        from = offset + 1
      }
      break
    } catch (error) {
      errors.push(error as BookendError)
      const onwards = (error as BookendError).next
      if (onwards === undefined) break
      expect(onwards).toBeGreaterThan(from)
      from = onwards
    }
  }
  return { offsets, errors, next }
}

const allBut = (count: number, missing: number[]) =>
  Array.from({ length: count }, (_, index) => index).filter((index) => !missing.includes(index))

it('a flipped byte in a sealed segment is BOOKEND_CORRUPT with its place, and everything else is read', async () => {
  const directory = temporaryFolder()
  await (await filled(directory)).close()
  const file = segmentFile(directory, 1)
  const number = 35
  overwrite(file, placeOf(file, number + 1), new Uint8Array([0xee]))
  const log = await openLog(directory)
  const { offsets, errors } = await readAround(log)
  expect(errors.length).toBe(1)
  expect(errors[0]).toMatchObject({ code: 'BOOKEND_CORRUPT', topic: 't', offset: number, file })
  const { position, next } = errors[0]
  expect(position).toBeGreaterThanOrEqual(1 << 20)
  expect(position).toBeLessThan(2 << 20)
  // One batch holds one or a few of them.
  expect(next).toBeGreaterThan(number)
  expect(offsets).toEqual(
    allBut(
      110,
      Array.from({ length: (next ?? 0) - number }, (_, index) => number + index),
    ),
  )
  expect((await codedFailureOf(() => log.topic('t').get(number))).code).toBe('BOOKEND_CORRUPT')
  expect((await codedFailureOf(() => log.topic('t').getMany([0, number]))).code).toBe('BOOKEND_CORRUPT')
  expect((await log.topic('t').get(number - 1))?.value[0]).toBe(number)
  expect((await log.topic('t').get(next as number))?.value[0]).toBe((next as number) + 1)
  const scan = () => log.topic('t').scan(new URL('../fixtures/scan-sum.mjs', import.meta.url))
  expect((await codedFailureOf(scan)).code).toBe('BOOKEND_CORRUPT')
  expect((await readAround(log, 'other')).offsets).toEqual(allBut(11, []))
  // Damage behind is no reason to stop appending.
  expect(await log.topic('t').append(new Uint8Array(messageBytes).fill(111))).toBe(110)
})

it('a damaged batch at the end of a segment does not hide the segments behind it', async () => {
  const directory = temporaryFolder()
  await (await filled(directory)).close()
  const file = segmentFile(directory, 1)
  const content = fs.readFileSync(file)
  let last = perSegment
  while (content.indexOf(Buffer.alloc(1_000, last + 2)) > 0) last += 1
  overwrite(file, placeOf(file, last + 1), new Uint8Array([0xee]))
  const log = await openLog(directory)
  const { offsets, errors } = await readAround(log)
  expect(errors.map(({ code, offset }) => [code, offset])).toEqual([['BOOKEND_CORRUPT', last]])
  expect(offsets).toEqual(allBut(110, [last]))
})

it('a segment without its footer, or with a damaged index, is read from its batches', async () => {
  const directory = temporaryFolder()
  await (await filled(directory)).close()
  overwrite(segmentFile(directory, 0), (1 << 20) - 64, new Uint8Array(64))
  const file = segmentFile(directory, 2)
  // Entries and directory stand in front of the footer.
  const content = fs.readFileSync(file)
  const footer = new DataView(content.buffer, content.byteOffset + (1 << 20) - 64, 64)
  const entriesAt = footer.getUint32(24, true)
  overwrite(file, entriesAt, Buffer.alloc(48, 0x77))
  const log = await openLog(directory)
  const { offsets, errors } = await readAround(log)
  expect(errors).toEqual([])
  expect(offsets).toEqual(allBut(110, []))
  for (const number of [0, 20, 60, 80]) expect((await log.topic('t').get(number))?.value[0]).toBe(number + 1)
  expect((await readAround(log, 'other')).offsets).toEqual(allBut(11, []))
  await log.close()
  // The footer that was missing has been made again.
  const again = await openLog(directory)
  await until('the first segment has a footer again', () =>
    fs
      .readFileSync(segmentFile(directory, 0))
      .subarray((1 << 20) - 64)
      .some((byte) => byte !== 0),
  )
  expect((await readAround(again)).offsets).toEqual(allBut(110, []))
})

it('a sealed segment that was cut short or deleted while the log was closed is a typed error, and the rest is read', async () => {
  for (const how of ['cut', 'deleted'] as const) {
    const directory = temporaryFolder()
    await (await filled(directory)).close()
    const file = segmentFile(directory, 1)
    if (how === 'cut') fs.truncateSync(file, 300_000)
    else fs.rmSync(file)
    const log = await openLog(directory)
    expect(log.stats().recovery.damages.length, how).toBeGreaterThan(0)
    const { offsets, errors, next } = await readAround(log)
    expect(next, how).toBe(110)
    for (const { code, topic } of errors) expect([code, topic], how).toEqual(['BOOKEND_CORRUPT', 't'])
    expect(errors.length, how).toBeGreaterThan(0)
    expect(offsets.filter((offset) => offset < 25).length, how).toBe(25)
    expect(offsets.at(-1), how).toBe(109)
    expect(offsets.length, how).toBeGreaterThan(80)
    await log.close()
  }
})

it('a segment cut short under an open log ends in a typed error, never in a signal', async () => {
  for (const io of ['mmap', 'file']) {
    const seen = await report<{ codes: string[]; readable: number[] }>('truncated-segment.mjs', [io, temporaryFolder()])
    expect(seen.codes.length, io).toBeGreaterThan(0)
    for (const code of seen.codes) expect(['BOOKEND_CORRUPT', 'BOOKEND_IO'], io).toContain(code)
    expect(seen.readable, io).toContain(0)
    expect(seen.readable, io).toContain(109)
  }
})

/** A log whose owner was killed: nothing was closed. */
async function killed(directory: string): Promise<void> {
  const { start } = await import('./support.js')
  const owner = start('hold-log.mjs', [directory, '10'])
  await owner.says('ready')
  owner.process.kill('SIGKILL')
  await owner.ended
}

it('garbage behind the end of an unclean log is cut off and counted, and appending goes on there', async () => {
  const directory = temporaryFolder()
  await killed(directory)
  const file = segmentFile(directory, 0)
  const content = fs.readFileSync(file)
  let end = content.length
  while (content[end - 1] === 0) end -= 1
  overwrite(file, Math.ceil(end / 8) * 8, Buffer.alloc(700, 0xab))
  const log = await openLog(directory)
  expect(log.stats().recovery.tornBytes).toBeGreaterThanOrEqual(700)
  expect(log.stats().recovery.tornBytes).toBeLessThan(800)
  expect(log.stats().recovery.damages).toEqual([])
  const topic = log.topic('t')
  expect(await topic.bounds()).toEqual({ first: 0, next: 10 })
  expect(await topic.append(new Uint8Array(8).fill(99))).toBe(10)
  await log.close()
  const again = await openLog(directory)
  expect(again.stats().recovery).toMatchObject({ tornBytes: 0, damages: [] })
  expect((await again.topic('t').get(10))?.value).toEqual(new Uint8Array(8).fill(99))
})

it('a torn last batch past the durable position is cut, and never delivered', async () => {
  const directory = temporaryFolder()
  const { start } = await import('./support.js')
  const owner = start('unflushed.mjs', [directory])
  await owner.says('ready')
  owner.process.kill('SIGKILL')
  await owner.ended
  const file = segmentFile(directory, 0)
  overwrite(file, placeOf(file, 10), new Uint8Array([0xee]))
  const log = await openLog(directory)
  expect(log.stats().recovery.tornBytes).toBeGreaterThan(0)
  const messages = await readAround(log)
  expect(messages.errors).toEqual([])
  expect(messages.offsets).toEqual(allBut(9, []))
  expect(await log.topic('t').append(new Uint8Array(messageBytes).fill(10))).toBe(9)
  expect((await readAround(log)).offsets).toEqual(allBut(10, []))
  expect(segmentNames(directory).length).toBeGreaterThan(0)
})
