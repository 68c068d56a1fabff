import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { findOwner } from '../../../src/storage/files/log-owner.js'
import { openLog, temporaryFolder } from '../../scenarios/support.js'

it('whatever stands in the place of the lock file is neither waited for, followed nor read to its end', () => {
  const directory = temporaryFolder()
  const lock = path.join(directory, 'lock')
  const secret = path.join(temporaryFolder(), 'secret')
  fs.writeFileSync(secret, 'pid 1 on a-secret since ever\n')
  const placed: [string, () => void][] = [
    ['a pipe', () => expect(spawnSync('mkfifo', [lock]).status).toBe(0)],
    ['a link', () => fs.symlinkSync(secret, lock)],
    ['a link to a device', () => fs.symlinkSync('/dev/zero', lock)],
    ['a directory', () => fs.mkdirSync(lock)],
    [
      'a sparse file',
      () => {
        fs.writeFileSync(lock, '')
        fs.truncateSync(lock, 3 * 2 ** 30)
      },
    ],
  ]
  for (const [what, place] of placed) {
    place()
    expect(findOwner(directory), what).toEqual({ state: 'none', signature: '' })
    fs.rmSync(lock, { recursive: true })
  }
  fs.writeFileSync(lock, 'x'.repeat(1 << 20))
  expect(findOwner(directory).signature.length).toBeLessThanOrEqual(256)
})

it('the text of a lock is shown as one line without control characters', () => {
  const directory = temporaryFolder()
  fs.writeFileSync(path.join(directory, 'lock'), 'pid 1 on \x1b[2J\u202ehost\x07 since ever\nand more\n')
  expect(findOwner(directory).signature).toBe('pid 1 on [2Jhost since ever')
})

it('an owner is found by either of the files that it has locked', async () => {
  for (const name of ['lock', 'control']) {
    const directory = temporaryFolder()
    const log = await openLog(directory)
    const file = path.join(directory, name)
    fs.copyFileSync(file, `${file}.copy`)
    fs.renameSync(`${file}.copy`, file)
    expect(findOwner(directory)).toMatchObject({ state: 'running', pid: process.pid })
    // Whether it has noticed yet or does now, it has lost the log.
    await log.close().catch((error) => expect(error.code).toBe('BOOKEND_LOCKED'))
    expect(findOwner(directory).state).toBe('none')
  }
})
