import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { open } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { codedFailureOf, contentOf, report, small, temporaryFolder } from './support.js'

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

for (const io of ['mmap', 'file']) {
  it(`a full disk refuses appends with BOOKEND_NO_SPACE, loses nothing, and appends go on once there is space (io ${io})`, async (test) => {
    const disk = smallFileSystem('size=16m')
    if (disk instanceof Error) return test.skip(`no file system to fill: ${disk.message}`)
    const filler = path.join(disk, 'filler')
    writeFileSync(filler, new Uint8Array(5 << 20))
    const seen = await report('fills-disk.mjs', [io, path.join(disk, 'log'), filler])
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

it('a log that does not fit its disk at all is refused with BOOKEND_NO_SPACE, and can be opened once it fits', async (test) => {
  const disk = smallFileSystem('size=512k')
  if (disk instanceof Error) return test.skip(`no file system to fill: ${disk.message}`)
  const error = await codedFailureOf(() => open(path.join(disk, 'log'), small))
  expect(error.code).toBe('BOOKEND_NO_SPACE')
  expect([...contentOf(path.join(disk, 'log')).keys()].filter((name) => name.includes('.seg'))).toEqual([])
  expect(spawnSync('mount', ['-o', 'remount,size=8m', disk]).status).toBe(0)
  const log = await open(path.join(disk, 'log'), small)
  expect(await log.topic('t').append(new Uint8Array(10))).toBe(0)
  await log.close()
})
