import { existsSync } from 'node:fs'
import path from 'node:path'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import {
  codedFailureOf,
  collect,
  contentOf,
  expectMistake,
  openLog,
  segmentFile,
  start,
  temporaryFolder,
} from '../scenarios/support.js'

it('a closed log opened readOnly is read in every way, and not a byte of its directory changes', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const values = Array.from({ length: 60 }, (_, index) => new Uint8Array(40_000).fill(index))
  for (const value of values) await log.topic('t').append(value)
  await log.topic('t').trim(3)
  await log.close()
  const before = contentOf(directory)
  const reader = await open(directory, { readOnly: true, readers: 1 })
  const topic = reader.topic('t')
  expect(await reader.topics()).toEqual(['t'])
  expect(await topic.bounds()).toEqual({ first: 3, next: 60 })
  expect((await collect(topic.read())).map(({ value }) => value[0])).toEqual(values.slice(3).map((value) => value[0]))
  expect((await topic.get(30))?.value).toEqual(values[30])
  const sum = await topic.scan<{ count: number }>(new URL('../fixtures/scan-sum.mjs', import.meta.url))
  expect(sum.count).toBe(57)
  expect(reader.stats().messages).toBe(0)
  expect((await reader.residency()).length).toBeGreaterThan(2)
  const writes: (() => unknown)[] = [
    () => topic.append(new Uint8Array(1)),
    () => topic.appendMany([new Uint8Array(1)]),
    () => topic.offer(new Uint8Array(1)),
    () => topic.trim(5),
    () => topic.ready(),
  ]
  for (const call of writes) expect((await codedFailureOf(call)).code, String(call)).toBe('BOOKEND_READ_ONLY')
  // It would wait for ever: nothing new comes.
  await expectMistake(() => topic.read({ follow: true }), TypeError)
  await reader.flush()
  reader.flushSync()
  await reader.close()
  expect((await codedFailureOf(() => topic.get(0))).code).toBe('BOOKEND_CLOSED')
  expect(contentOf(directory)).toEqual(before)
})

it('a log opened readOnly beside its live owner shows what was there, and writes nothing', async () => {
  const directory = temporaryFolder()
  const owner = start('hold-log.mjs', [directory, '50'])
  await owner.says('ready')
  const first = await open(directory, { readOnly: true, readers: 1 })
  const second = await open(directory, { readOnly: true, readers: 1 })
  for (const reader of [first, second]) {
    const messages = await collect(reader.topic('t').read())
    expect(messages.map(({ value }) => value[0])).toEqual(Array.from({ length: 50 }, (_, index) => index))
  }
  await first.close()
  await second.close()
  // The owner was killed in the middle: whoever only looks cuts no torn tail.
  owner.process.kill('SIGKILL')
  await owner.ended
  const before = contentOf(directory)
  const after = await open(directory, { readOnly: true, readers: 1 })
  expect((await collect(after.topic('t').read())).length).toBe(50)
  await after.close()
  expect(contentOf(directory)).toEqual(before)
  expect(existsSync(segmentFile(directory, 0))).toBe(true)
})

it('what is not a log cannot be opened readOnly, and is not made one', async () => {
  const directory = temporaryFolder()
  const missing = path.join(directory, 'missing')
  for (const each of [directory, missing]) {
    const error = await codedFailureOf(() => open(each, { readOnly: true }))
    expect(error.code).toBe('BOOKEND_FORMAT')
    expect(error.message).toContain(each)
  }
  expect(contentOf(directory).size).toBe(0)
})
