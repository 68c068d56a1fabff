import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { makeDirectories, makeDirectoriesSync } from '../../../src/storage/files/make-directories.js'
import { codedFailureOf, failureOf, openLog, temporaryFolder } from '../../scenarios/support.js'

for (const [name, make] of [
  ['makeDirectories', makeDirectories],
  ['makeDirectoriesSync', async (directory: string) => makeDirectoriesSync(directory)],
] as const) {
  it(`${name} makes what is missing and says where that begins`, async () => {
    const folder = temporaryFolder()
    const deep = path.join(folder, 'a', 'b', 'c')
    expect(await make(deep)).toBe(path.join(folder, 'a'))
    expect(statSync(deep).mode & 0o777).toBe(0o700)
    expect(await make(deep)).toBeUndefined()
    expect(await make(path.join(folder, 'a', 'd'))).toBe(path.join(folder, 'a', 'd'))
    symlinkSync(deep, path.join(folder, 'link'))
    expect(await make(path.join(folder, 'link'))).toBeUndefined()
  })

  it(`${name} says what is in the way`, async () => {
    const folder = temporaryFolder()
    writeFileSync(path.join(folder, 'file'), '')
    symlinkSync(path.join(folder, 'nowhere'), path.join(folder, 'dangling'))
    expect((await failureOf(() => make(path.join(folder, 'file')))).code).toBe('EEXIST')
    expect((await failureOf(() => make(path.join(folder, 'file', 'below')))).code).toBe('ENOTDIR')
    expect((await failureOf(() => make(path.join(folder, 'dangling')))).code).toBe('EEXIST')
  })

  it(`${name} comes back below /proc`, async () => {
    expect((await failureOf(() => make('/proc/bookend/log'))).code).toBe('ENOENT')
  })
}

it('makeDirectories may race with itself', async () => {
  const folder = path.join(temporaryFolder(), 'a', 'b', 'c')
  await Promise.all(Array.from({ length: 8 }, () => makeDirectories(folder)))
  expect(existsSync(folder)).toBe(true)
})

it('open and backup come back where no directory can be made', async () => {
  expect((await failureOf(() => open('/proc/bookend/log'))).code).toBe('ENOENT')
  const log = await openLog()
  expect((await failureOf(() => log.backup('/proc/bookend/copy'))).code).toBe('ENOENT')
  await log.topic('t').append(new Uint8Array(1))
  const folder = temporaryFolder()
  mkdirSync(path.join(folder, 'x'))
  writeFileSync(path.join(folder, 'x', 'file'), '')
  expect((await codedFailureOf(() => open(path.join(folder, 'x', 'file')))).code).toBe('BOOKEND_FORMAT')
})

// A read-only file system needs a namespace of its own, which not every machine lets a user make.
const mount = ['--user', '--map-root-user', '--mount', 'sh', '-c']
const mayMount = await promisify(execFile)('unshare', [...mount, 'true']).then(
  () => true,
  () => false,
)
it.skipIf(!mayMount)('a read-only file system is EROFS', async () => {
  const folder = temporaryFolder()
  const library = new URL('../../../dist/src/index.js', import.meta.url).href
  const program = `import { open } from '${library}'
    console.log(await open('${folder}/a/b').catch((error) => error.code))`
  const script = `mount --bind ${folder} ${folder} && mount -o remount,ro,bind ${folder} && "$0" --input-type=module -e "$1"`
  const { stdout } = await promisify(execFile)('unshare', [...mount, script, process.execPath, program])
  expect(stdout).toBe('EROFS\n')
})
