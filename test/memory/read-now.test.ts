import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { loadNowFiles, type NowFile, type NowFiles } from '../../src/memory/read-now.js'
import { canTell, dropUnitBytes, untilDropped } from '../support/page-cache.js'
import { temporaryFolder } from './temporary-folder.js'

const byteLength = 2 * dropUnitBytes
const content = Uint8Array.from({ length: byteLength }, (_, at) => (at >>> 12) + at)
const now = loadNowFiles()
const isHere = now !== undefined && canTell(os.tmpdir())

const opened: NowFile[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((file) => file.close()))
})

async function filled(now: NowFiles, folder = temporaryFolder()): Promise<{ file: NowFile; path: string }> {
  const name = path.join(folder, 'file')
  fs.writeFileSync(name, content)
  const file = await now.open(name, byteLength)
  if (file === undefined) throw new Error('it is there')
  opened.push(file)
  return { file, path: name }
}

/** Fetches it until it is there: the kernel may take memory back at any time. */
async function untilThere(file: NowFile, attempt: () => boolean): Promise<void> {
  await vi.waitUntil(async () => (await file.fetch(0, byteLength)) !== undefined && attempt(), { timeout: 120_000 })
}

it.skipIf(!isHere)('copies what is in memory to its place in the target', async () => {
  const { file } = await filled(now as NowFiles)
  const target = (now as NowFiles).target(10_000)
  // Nobody has cleared it.
  target.bytes.fill(7)
  await untilThere(file, () => file.read(target, 8, 5_000, 9_000))
  expect(target.bytes.subarray(8, 9_008)).toEqual(content.subarray(5_000, 14_000))
  expect([target.bytes[7], target.bytes[9_008]]).toEqual([7, 7])
})

it.skipIf(!isHere)(
  'refuses what is not in memory, all of it or a part, and has it again once it was fetched',
  async () => {
    const { file, path: name } = await filled(now as NowFiles)
    const target = (now as NowFiles).target(byteLength)
    await untilDropped(name, () => !file.read(target, 0, 0, 4_096))
    // What is refused the kernel may read ahead, as far as the end where the device is set to 8 MiB.
    await untilDropped(name, () => !file.read(target, 0, byteLength - 200, 200))
    await untilThere(file, () => file.read(target, 0, 0, byteLength))
    expect(Buffer.compare(target.bytes, content)).toBe(0)
    // The kernel answers with what stands before it.
    const isFirstThere = () => file.read(target, 0, 0, 4_096)
    await untilDropped(name, () => !file.read(target, 0, 0, byteLength) && isFirstThere(), dropUnitBytes)
    expect((now as NowFiles).isSupported).toBe(true)
  },
)

it.skipIf(!isHere)('refuses what is behind the end of the file, and of a closed one everything', async () => {
  const { file } = await filled(now as NowFiles)
  const target = (now as NowFiles).target(4_096)
  expect(file.read(target, 0, byteLength - 100, 200)).toBe(false)
  expect(await file.fetch(byteLength - 100, 200)).toBeUndefined()
  await file.close()
  await file.close()
  expect(file.read(target, 0, 0, 100)).toBe(false)
  expect(await file.fetch(0, 100)).toBeUndefined()
})

it.skipIf(!isHere)('never lets the kernel write beside the target', async () => {
  const { file } = await filled(now as NowFiles)
  const target = (now as NowFiles).target(4_096)
  for (const [targetAt, length] of [
    [0, 4_097],
    [4_000, 97],
    [-8, 8],
    [8, -8],
  ])
    expect(() => file.read(target, targetAt, 0, length)).toThrow(RangeError)
})

it.skipIf(now === undefined)('opens neither links, nor what is missing, too short or no file', async () => {
  const folder = temporaryFolder()
  const files = now as NowFiles
  const { path: name } = await filled(files, folder)
  fs.symlinkSync(name, path.join(folder, 'link'))
  expect(await files.open(path.join(folder, 'link'), 4_096)).toBeUndefined()
  expect(await files.open(path.join(folder, 'missing'), 4_096)).toBeUndefined()
  expect(await files.open(name, 2 * byteLength)).toBeUndefined()
  expect(await files.open(folder, 0)).toBeUndefined()
})

it.skipIf(!fs.existsSync('/dev/shm') || canTell('/dev/shm') || now === undefined)(
  'finds out that a file system cannot tell, and asks no more',
  async () => {
    const folder = fs.mkdtempSync('/dev/shm/bookend-now-')
    try {
      const files = loadNowFiles() as NowFiles
      const { file } = await filled(files, folder)
      const isThere = file.read(files.target(4_096), 0, 0, 4_096)
      // Some kernels can, for tmpfs as well.
      expect(files.isSupported).toBe(isThere)
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  },
)
