import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { open } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { codedFailureOf, contentOf, report, segmentNames, small, temporaryFolder, until } from './support.js'

/** A file system of its own for the running test, or the reason why there is none. */
function smallFileSystem(options: string): string | Error {
  const folder = path.join(temporaryFolder(), 'disk')
  mkdirSync(folder)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { encoding: 'utf8' })
  if (mounted.status !== 0) return new Error(mounted.error?.message ?? mounted.stderr.trim())
  onTestFinished(() => {
    spawnSync('umount', ['-l', folder])
  })
  return folder
}

// Whole segments at a time, and blocks within one.
const cases = [
  ['mmap', 1 << 20],
  ['mmap', 8 << 20],
  ['file', 1 << 20],
  ['file', 8 << 20],
] as const

for (const [io, segmentBytes] of cases) {
  const what = `io ${io}, segments of ${segmentBytes >> 20} MiB`
  it(`a full disk refuses appends with BOOKEND_NO_SPACE, loses nothing, and appends go on once there is space (${what})`, async (test) => {
    const disk = smallFileSystem('size=16m')
    if (disk instanceof Error) return test.skip(`no file system to fill: ${disk.message}`)
    const filler = path.join(disk, 'filler')
    writeFileSync(filler, new Uint8Array(5 << 20))
    const seen = await report('fills-disk.mjs', [io, String(segmentBytes), path.join(disk, 'log'), filler])
    expect(seen.first).toMatchObject({ code: 'BOOKEND_NO_SPACE', cause: 'ENOSPC', errno: 28 })
    expect(seen.acknowledged).toBeGreaterThan(1_000)
    expect(seen).toMatchObject({
      readableWhenFull: true,
      one: true,
      codes: ['BOOKEND_NO_SPACE'],
      boundsWhenFull: { first: 0, next: seen.acknowledged },
      isReadyWhenFull: false,
      isBulkReadyWhenFull: false,
      half: [],
      readableAfter: true,
      reopened: true,
      damages: [],
    })
    expect(seen.offered).toBeGreaterThan(10)
  })
}

it('a log that does not fit its disk at all is refused with BOOKEND_NO_SPACE, leaves nothing behind that it would have to agree with, and can be made once it fits', async (test) => {
  const disk = smallFileSystem('size=512k')
  if (disk instanceof Error) return test.skip(`no file system to fill: ${disk.message}`)
  const error = await codedFailureOf(() => open(path.join(disk, 'log')))
  expect(error.code).toBe('BOOKEND_NO_SPACE')
  expect([...contentOf(path.join(disk, 'log')).keys()]).toEqual(['lock'])
  expect(spawnSync('mount', ['-o', 'remount,size=8m', disk]).status).toBe(0)
  const log = await open(path.join(disk, 'log'), small)
  expect(await log.topic('t').append(new Uint8Array(10))).toBe(0)
  await log.close()
})

const mebibyte = 1 << 20

/** What the files of a log take from their file system. */
function blockBytes(directory: string): number {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return files.reduce((sum, file) => sum + statSync(path.join(directory, file)).blocks * 512, 0)
}

it('a fresh log takes little of its disk, and more as more is written', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, { readers: 1 })
  onTestFinished(() => log.close().catch(() => {}))
  const topic = log.topic('t')
  await topic.append(new Uint8Array(10))
  await until('two segments are ready behind the active one', () => segmentNames(directory).length === 3)
  expect(blockBytes(directory)).toBeLessThanOrEqual(24 * mebibyte)
  const value = new Uint8Array(mebibyte)
  let written = 0
  for (; written < 40 * mebibyte; written += value.length) await topic.append(value)
  // As fast as it is written, twice as much again may be ahead, and no more.
  expect(blockBytes(directory)).toBeGreaterThan(written)
  expect(blockBytes(directory)).toBeLessThanOrEqual(24 * mebibyte + 4 * written)
})
