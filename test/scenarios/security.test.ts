import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, openLog, segmentFile, small, temporaryFolder } from './support.js'

/** Every entry of a directory with its permissions. */
function modesOf(directory: string): string[] {
  return fs.readdirSync(directory, { recursive: true, encoding: 'utf8', withFileTypes: true }).map((entry) => {
    const mode = fs.statSync(path.join(entry.parentPath, entry.name)).mode & 0o777
    return `${entry.isDirectory() ? 'directory' : 'file'} ${mode.toString(8)}`
  })
}

it('makes files and directories that only their owner can read', async () => {
  const parent = temporaryFolder()
  const before = process.umask(0)
  try {
    const log = await openLog(path.join(parent, 'deep', 'log'))
    await log.topic('t').append(new Uint8Array(10))
    await log.close()
  } finally {
    process.umask(before)
  }
  expect(new Set(modesOf(parent))).toEqual(new Set(['directory 700', 'file 600']))
})

it('leaves the permissions of a directory that was there before as they are', async () => {
  const directory = temporaryFolder()
  fs.chmodSync(directory, 0o750)
  await (await openLog(directory)).close()
  expect(fs.statSync(directory).mode & 0o777).toBe(0o750)
})

it('leaves nothing behind in a directory that is not a log', async () => {
  for (const names of [['notes.txt'], ['log/00000000000000000000.seg']]) {
    const directory = temporaryFolder()
    for (const name of names) {
      fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true })
      fs.writeFileSync(path.join(directory, name), 'mine')
    }
    const before = fs.readdirSync(directory, { recursive: true })
    expect((await codedFailureOf(() => open(directory, small))).code).toBe('BOOKEND_FORMAT')
    expect(fs.readdirSync(directory, { recursive: true })).toEqual(before)
  }
})

it('follows no symbolic link in the directory, and writes nothing through one', async () => {
  for (const name of ['lock', 'control', 'control.new', 'log', 'log/00000000000000000000.seg']) {
    const directory = temporaryFolder()
    const outside = temporaryFolder()
    const log = await openLog(directory)
    await log.topic('t').append(new Uint8Array(10))
    await log.close()
    const victim = path.join(outside, 'victim')
    const target = path.join(directory, name)
    if (name === 'control.new') {
      fs.rmSync(path.join(directory, 'control'))
      fs.rmSync(path.join(directory, 'log'), { recursive: true })
      fs.writeFileSync(victim, 'precious')
    } else {
      fs.renameSync(target, victim)
    }
    fs.symlinkSync(victim, target)
    const shape = () =>
      fs.statSync(victim).isDirectory() ? fs.readdirSync(victim).join() : fs.readFileSync(victim).toString('latin1')
    const before = shape()
    // A temporary name is simply taken over; everything else is refused.
    const outcome = await open(directory, small).then(
      (opened) => opened.close().then(() => 'opened'),
      (error) => error.code,
    )
    expect(outcome, name).toBe(name === 'control.new' ? 'opened' : 'BOOKEND_FORMAT')
    expect(shape(), name).toBe(before)
  }
})

it('does not wait at a pipe that stands in the place of a file', async () => {
  for (const [name, readOnly] of [
    ['lock', false],
    ['control', false],
    ['control', true],
    ['log/00000000000000000000.seg', true],
  ] as const) {
    const directory = temporaryFolder()
    const log = await openLog(directory)
    await log.topic('t').append(new Uint8Array(10))
    await log.close()
    fs.rmSync(path.join(directory, name))
    if (spawnSync('mkfifo', [path.join(directory, name)]).status !== 0) return
    expect((await codedFailureOf(() => open(directory, { ...small, readOnly }))).code, name).toBe('BOOKEND_FORMAT')
  }
})

it('takes topic names into the log, never into the file system', async () => {
  const parent = temporaryFolder()
  const directory = path.join(parent, 'log')
  const log = await openLog(directory)
  for (const name of ['../../escaped', '/absolute', 'a/b', '..', 'nul\0byte']) {
    await Promise.resolve()
      .then(() => log.topic(name).append(new Uint8Array(1)))
      .catch((error) => expect(error).toBeInstanceOf(Error))
  }
  await log.close()
  expect(fs.readdirSync(parent)).toEqual(['log'])
  expect(fs.readdirSync(directory).sort()).toEqual(['control', 'followers', 'lock', 'log'])
  expect(fs.existsSync(segmentFile(directory, 0))).toBe(true)
})

it('follows no link in the place of the folder of segments, also who only reads', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await log.topic('t').append(new Uint8Array(10))
  await log.close()
  const folder = path.join(directory, 'log')
  const outside = path.join(temporaryFolder(), 'elsewhere')
  fs.renameSync(folder, outside)
  fs.symlinkSync(outside, folder)
  for (const readOnly of [true, false]) {
    const error = await codedFailureOf(() => open(directory, { ...small, readOnly }))
    expect(error).toMatchObject({ code: 'BOOKEND_FORMAT', file: folder })
  }
})

it('writes into no file that has another name as well', async () => {
  for (const name of ['lock', 'groups', 'control']) {
    const directory = temporaryFolder()
    const log = await openLog(directory)
    await log.topic('t').append(new Uint8Array(10))
    await log.topic('t').group('g').seek(1)
    await log.close()
    const file = path.join(directory, name)
    const victim = path.join(temporaryFolder(), 'victim')
    fs.copyFileSync(file, victim)
    fs.rmSync(file)
    fs.linkSync(victim, file)
    const before = fs.readFileSync(victim)
    expect(await codedFailureOf(() => open(directory, small))).toMatchObject({ code: 'BOOKEND_FORMAT', file })
    expect(fs.readFileSync(victim), name).toEqual(before)
  }
})

it('says which file is in the way where a directory has the name of a file that it makes', async () => {
  for (const name of ['log/00000000000000000000.seg.new', 'log/00000000000001048576.seg', 'lock']) {
    const directory = temporaryFolder()
    const log = await openLog(directory)
    await log.topic('t').append(new Uint8Array(10))
    await log.close()
    const file = path.join(directory, name)
    fs.rmSync(file, { force: true })
    fs.mkdirSync(file)
    const error = await codedFailureOf(() => open(directory, small))
    expect(error, name).toMatchObject({ code: 'BOOKEND_FORMAT', file })
    expect(error.message).toContain('remove it')
  }
})
