/** Files of several logs in one directory, and a log from before logs had ids, met through the public face. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { decodeControlIdentity } from '../../src/format/control-layout.js'
import { unknownLogId } from '../../src/format/log-id.js'
import { decodeSegmentHeader } from '../../src/format/segment-layout.js'
import {
  codedFailureOf,
  collect,
  contentOf,
  fixture,
  openLog,
  segmentFile,
  segmentNames,
  temporaryFolder,
} from './support.js'

/** A closed log of several segments, with a group that has come to `committed`. */
async function logOf(name: string, committed: number, trimBefore = 0): Promise<string> {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const topic = log.topic(name)
  for (let index = 0; index < 60; index++) await topic.append(new Uint8Array(60_000).fill(index))
  await topic.group('billing').seek(committed)
  await log.flush('disk')
  if (trimBefore > 0) await topic.trim(trimBefore)
  await log.close()
  return directory
}

async function expectRefused(directory: string, file: string): Promise<void> {
  const before = contentOf(directory)
  for (const readOnly of [false, true]) {
    const error = await codedFailureOf(() => open(directory, { readers: 1, readOnly }))
    expect(error).toMatchObject({ code: 'BOOKEND_FORMAT', file })
    expect(error.message).toContain('another log')
  }
  expect(contentOf(directory)).toEqual(before)
}

it('a control, groups or segment file of another log is refused, and nothing is changed', async () => {
  const [ours, theirs] = await Promise.all([logOf('orders', 5), logOf('orders', 50, 55)])
  const last = path.basename(segmentFile(theirs, 0))
  for (const name of ['control', 'groups', path.join('log', last)]) {
    const file = path.join(ours, name)
    const kept = readFileSync(file)
    copyFileSync(path.join(theirs, name), file)
    await expectRefused(ours, file)
    writeFileSync(file, kept)
  }
  const log = await openLog(ours)
  expect((await collect(log.topic('orders').read())).length).toBe(60)
  expect(await log.topic('orders').group('billing').position()).toMatchObject({ committed: 5 })
})

it('a backup is the same log: a segment of it may take the place of one that was lost', async () => {
  const directory = temporaryFolder()
  const copy = path.join(temporaryFolder(), 'copy')
  const log = await openLog(directory)
  for (let index = 0; index < 30; index++) await log.topic('t').append(new Uint8Array(60_000).fill(index))
  await log.backup(copy)
  await log.close()
  copyFileSync(segmentFile(copy, 0), segmentFile(directory, 0))
  const again = await openLog(directory)
  expect((await collect(again.topic('t').read())).length).toBe(30)
})

it('a log from before logs had ids opens as ever, goes on, and keeps saying that its id is not known', async () => {
  const directory = temporaryFolder()
  mkdirSync(path.join(directory, 'log'))
  const files = JSON.parse(readFileSync(fixture('logs/without-id.json'), 'utf8')) as Record<string, string>
  for (const [name, packed] of Object.entries(files))
    writeFileSync(path.join(directory, name), inflateRawSync(Buffer.from(packed, 'base64')))
  const reader = await open(directory, { readOnly: true, readers: 1 })
  expect((await collect(reader.topic('orders').read())).map(({ value }) => value[0])).toEqual(
    Array.from({ length: 60 }, (_, index) => index),
  )
  await reader.close()
  for (const life of [0, 1]) {
    const log = await openLog(directory)
    expect(log.stats().recovery.damages).toEqual([])
    expect(await log.topics()).toEqual(['names', 'orders'])
    expect(await log.topic('orders').bounds()).toEqual({ first: 0, next: 60 + 60 * life })
    expect(await log.topic('orders').group('billing').position()).toMatchObject({ committed: 20 + life })
    for (let index = 0; index < 60; index++) await log.topic('orders').append(new Uint8Array(60_000).fill(index))
    await log.topic('orders').group('billing').seek(21)
    await log.close()
  }
  expect(decodeControlIdentity(readFileSync(path.join(directory, 'control')))?.id).toBe(unknownLogId)
  const marks = segmentNames(directory).map(
    (_, index) => decodeSegmentHeader(readFileSync(segmentFile(directory, index)))?.logMark,
  )
  expect(marks.length).toBeGreaterThan(6)
  expect(new Set(marks)).toEqual(new Set([unknownLogId.slice(0, 16)]))
})
