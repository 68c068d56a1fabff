import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { open, text } from 'bookend'
import { expect, it } from 'vitest'
import {
  codedFailureOf,
  collect,
  expectMistake,
  failureOf,
  openLog,
  segmentNames,
  small,
  temporaryFolder,
  until,
} from './support.js'

const payload = (number: number) => `${number}:`.padEnd(500, 'x')

for (const io of ['mmap', 'file'] as const) {
  it(`is the log at one moment, while appends, trims and deletions go on (io ${io})`, async () => {
    const log = await openLog(temporaryFolder(), { io, flushIntervalMs: 20 })
    const topic = log.topic('t', { codec: text })
    let appended = 0
    let isDone = false
    // Goes on appending, and trims behind itself, until the copies are made.
    const work = (async () => {
      while (!isDone) {
        const many = Array.from({ length: 200 }, () => payload(appended++))
        await topic.appendMany(many)
        if (appended % 2_000 === 0) await topic.trim(appended - 6_000 > 0 ? appended - 6_000 : 0)
      }
    })()
    await until('there are several segments and some are deleted', () => log.stats().segments.deleted > 1)
    for (let round = 0; round < 3; round++) {
      const target = path.join(temporaryFolder(), 'made', 'here')
      const { next } = await topic.bounds()
      const report = await log.backup(target)
      expect(report.segments).toBe(segmentNames(target).length)
      const copy = await openLog(target)
      expect(copy.stats().recovery).toMatchObject({ tornBytes: 0, damages: [] })
      const messages = await collect(copy.topic('t', { codec: text }).read())
      const first = messages[0]!.offset
      expect(messages.map(({ offset, value }) => [offset, value])).toEqual(
        messages.map((_, index) => [first + index, payload(first + index)]),
      )
      expect(first + messages.length).toBeGreaterThanOrEqual(next)
      // It is a log of its own.
      expect(await copy.topic('t', { codec: text }).append('more')).toBe(first + messages.length)
      await copy.close()
    }
    isDone = true
    await work
    const deleted = log.stats().segments.deleted
    await topic.trim(appended)
    await until('deletion goes on after the backups', () => log.stats().segments.deleted > deleted)
  })
}

it('holds what was offered before the call', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: text })
  for (let number = 0; number < 1_000; number++) expect(topic.offer(payload(number))).toBe(true)
  const target = path.join(temporaryFolder(), 'copy')
  await log.backup(target)
  const copy = await openLog(target)
  expect(await copy.topic('t').bounds()).toEqual({ first: 0, next: 1_000 })
})

it('of an empty log, and of one opened read-only, is a log', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const empty = path.join(temporaryFolder(), 'copy')
  await log.backup(empty)
  expect(await (await openLog(empty)).topics()).toEqual([])
  await log.topic('t').append(new Uint8Array(3))
  await log.close()
  const reader = await openLog(directory, { readOnly: true, segmentBytes: undefined as never })
  const copied = path.join(temporaryFolder(), 'copy')
  await reader.backup(copied)
  expect(await (await openLog(copied)).topic('t').bounds()).toEqual({ first: 0, next: 1 })
})

it('refuses a directory in use, and one inside the log, before it writes anything', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const used = temporaryFolder()
  writeFileSync(path.join(used, 'mine'), 'x')
  await expectMistake(() => log.backup(used), RangeError)
  expect(readdirSync(used)).toEqual(['mine'])
  await expectMistake(() => log.backup(path.join(directory, 'copy')), RangeError)
  expect(existsSync(path.join(directory, 'copy'))).toBe(false)
  await expectMistake(() => log.backup(5 as never), TypeError)
  await expectMistake(() => log.backup('x', { sginal: undefined } as never), TypeError)
  expect(await failureOf(() => log.backup(path.join(used, 'mine', 'below')))).toMatchObject({ code: 'ENOTDIR' })
})

it('ends with the log that is closed, and with its signal; nothing is left', async () => {
  const log = await openLog(temporaryFolder())
  const topic = log.topic('t')
  for (let number = 0; number < 60; number++) await topic.append(new Uint8Array(900_000))
  const parent = temporaryFolder()
  const aborted = new AbortController()
  const first = log.backup(path.join(parent, 'a'), { signal: aborted.signal })
  aborted.abort(new Error('enough'))
  expect(await failureOf(() => first)).toMatchObject({ message: 'enough' })
  // It may have been quick enough to be done.
  const second = log.backup(path.join(parent, 'b')).then(
    () => 'done',
    (error: unknown) => error,
  )
  await log.close()
  const outcome = await second
  if (outcome !== 'done') expect(outcome).toMatchObject({ code: 'BOOKEND_CLOSED' })
  const left = readdirSync(path.join(parent, 'a'), { recursive: true })
  expect(left.filter((name) => name !== 'log')).toEqual([])
  expect(await codedFailureOf(() => log.backup(path.join(parent, 'c')))).toMatchObject({ code: 'BOOKEND_CLOSED' })
})

it('that a crash has cut short is refused by open, with what to do', async () => {
  const log = await openLog()
  await log.topic('t').append(new Uint8Array(3))
  const target = path.join(temporaryFolder(), 'copy')
  mkdirSync(target)
  writeFileSync(path.join(target, 'backup.unfinished'), '')
  const error = await codedFailureOf(() => open(target, small))
  expect(error).toMatchObject({ code: 'BOOKEND_FORMAT', message: expect.stringContaining('make the backup again') })
})
