import fs from 'node:fs'
import path from 'node:path'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { decodeControlIdentity, encodeControlIdentity } from '../../src/format/control-layout.js'
import { type Features, noFeatures } from '../../src/format/features.js'
import { decodeSegmentHeader, encodeSegmentHeader } from '../../src/format/segment-layout.js'
import {
  codedFailureOf,
  collect,
  contentOf,
  openLog,
  segmentFile,
  segmentNames,
  small,
  temporaryFolder,
} from '../scenarios/support.js'

it('a directory that holds other files is not made a log, and keeps them as they are', async () => {
  const directory = temporaryFolder()
  fs.writeFileSync(path.join(directory, 'thesis.txt'), 'years of work')
  fs.mkdirSync(path.join(directory, 'sub'))
  const before = contentOf(directory)
  const error = await codedFailureOf(() => open(directory, small))
  expect(error.code).toBe('BOOKEND_FORMAT')
  expect(error.message).toContain(directory)
  const after = contentOf(directory)
  // The lock came before the look; an empty lock file is all that may be left.
  after.delete('lock')
  expect(after).toEqual(before)
})

it('a file in the place of the directory is told from a directory, and keeps what it holds', async () => {
  const file = path.join(temporaryFolder(), 'events')
  fs.writeFileSync(file, 'mine')
  const error = await codedFailureOf(() => open(file, small))
  expect(error).toMatchObject({ code: 'BOOKEND_FORMAT', file })
  expect(error.message).toContain('is a file')
  expect(fs.readFileSync(file, 'utf8')).toBe('mine')
})

it('segments without a control file are not taken for an empty log', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await log.topic('t').append(new Uint8Array(10))
  await log.close()
  fs.rmSync(path.join(directory, 'control'))
  expect((await codedFailureOf(() => open(directory, small))).code).toBe('BOOKEND_FORMAT')
  expect(segmentNames(directory).length).toBeGreaterThan(0)
})

it('a control file that is garbage, empty, cut short or of another version is BOOKEND_FORMAT and names the file', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await log.topic('t').append(new Uint8Array(10))
  await log.close()
  const control = path.join(directory, 'control')
  const good = fs.readFileSync(control)
  const version = Buffer.from(good)
  version[8] = 99
  const bad = [Buffer.alloc(4096, 0x5a), Buffer.alloc(0), good.subarray(0, 1_000), Buffer.alloc(4096), version]
  for (const bytes of bad) {
    fs.writeFileSync(control, bytes)
    const error = await codedFailureOf(() => open(directory))
    expect(error.code).toBe('BOOKEND_FORMAT')
    expect(error.file).toBe(control)
  }
  fs.writeFileSync(control, good)
  expect(await (await openLog(directory)).topic('t').bounds()).toEqual({ first: 0, next: 1 })
})

it('what only a later release knows is refused by name, to who writes or to everybody, and nothing is changed', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await log.topic('t').append(new Uint8Array(10))
  await log.close()
  const control = path.join(directory, 'control')
  const segment = segmentFile(directory, 0)
  const [goodControl, goodSegment] = [control, segment].map((file) => fs.readFileSync(file))
  const identity = decodeControlIdentity(goodControl)
  const header = decodeSegmentHeader(goodSegment)
  if (identity === undefined || header === undefined) throw new Error('a log stands here')
  const withWords = (words: Partial<Features>) => {
    const features = { ...noFeatures, ...words }
    return Buffer.concat([encodeControlIdentity({ ...identity, features }), goodControl.subarray(64)])
  }
  const refusals = async () => {
    const before = contentOf(directory)
    const errors: (Error | undefined)[] = []
    for (const options of [{}, { readOnly: true }, { readOnly: true, follow: true }]) {
      const opened = await open(directory, { ...options, readers: 1 }).catch((error) => error)
      if (opened instanceof Error) errors.push(opened)
      else {
        errors.push(undefined)
        expect(await opened.topic('t').bounds()).toEqual({ first: 0, next: 1 })
        await opened.close()
      }
    }
    if (errors[0] !== undefined && errors[1] !== undefined) expect(contentOf(directory)).toEqual(before)
    return errors.map((error) => error?.message)
  }
  fs.writeFileSync(control, withWords({ incompatible: 0x20 }))
  const named = (file: string, bits: string) => expect.stringMatching(`${file}.*${bits}`)
  expect(await refusals()).toEqual([0, 1, 2].map(() => named(control, 'bit 0x20')))
  fs.writeFileSync(control, withWords({ readOnlyCompatible: 24 }))
  expect(await refusals()).toEqual([named(control, 'bits 0x8, 0x10'), undefined, undefined])
  fs.writeFileSync(control, goodControl)
  fs.writeFileSync(segment, Buffer.concat([encodeSegmentHeader({ ...header, features: 8 }), goodSegment.subarray(64)]))
  expect(await refusals()).toEqual([0, 1, 2].map(() => named(segment, 'bit 0x8')))
  fs.writeFileSync(segment, goodSegment)
  fs.writeFileSync(control, withWords({ compatible: 0x40 }))
  expect(await refusals()).toEqual([undefined, undefined, undefined])
  const copy = path.join(temporaryFolder(), 'copy')
  const again = await openLog(directory)
  await again.backup(copy)
  await again.close()
  const files = [control, path.join(copy, 'control')].map((file) => fs.readFileSync(file))
  expect(files.map((bytes) => decodeControlIdentity(bytes)?.features.compatible)).toEqual([0x40, 0x40])
})

it('files of others inside a log are ignored and kept', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  for (let index = 0; index < 40; index++) await log.topic('t').append(new Uint8Array(50_000))
  await log.close()
  const foreign = [
    'notes.txt',
    'log/backup.seg',
    'log/.DS_Store',
    'log/00000000000000000007.seg',
    'log/1.seg',
    'log/x.seg.new',
  ]
  for (const name of foreign) fs.writeFileSync(path.join(directory, name), 'mine')
  fs.mkdirSync(path.join(directory, 'folder'))
  const again = await openLog(directory)
  expect((await collect(again.topic('t').read())).length).toBe(40)
  await again.topic('t').append(new Uint8Array(1))
  await again.close()
  for (const name of foreign) expect(fs.readFileSync(path.join(directory, name), 'utf8')).toBe('mine')
})

it('prepared segments and half made ones that a crash has left are taken over or removed', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await log.topic('t').append(new Uint8Array(10))
  await log.close()
  const folder = path.join(directory, 'log')
  const half = path.join(folder, `${String(3 << 20).padStart(20, '0')}.seg.new`)
  fs.writeFileSync(half, 'half')
  fs.writeFileSync(path.join(directory, 'control.new'), 'half')
  // A prepared segment of a wrong size, and one behind a hole.
  fs.writeFileSync(path.join(folder, `${String(2 << 20).padStart(20, '0')}.seg`), 'short')
  fs.copyFileSync(
    path.join(folder, segmentNames(directory)[1]),
    path.join(folder, `${String(9 << 20).padStart(20, '0')}.seg`),
  )
  const again = await openLog(directory)
  expect(fs.existsSync(half)).toBe(false)
  for (let index = 0; index < 100; index++) await again.topic('t').append(new Uint8Array(100_000).fill(index))
  const messages = await collect(again.topic('t').read({ from: 1 }))
  expect(messages.map(({ value }) => value[99_999])).toEqual(Array.from({ length: 100 }, (_, index) => index))
  expect(again.stats().recovery.damages).toEqual([])
})
