/** Threads of vitest: tests of applications run in them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { fixture, temporaryFolder } from '../../scenarios/support.js'

const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url))

it('a test in a thread of vitest opens a log, connects, and lets threads in', async () => {
  const child = spawn(process.execPath, [vitest, 'run', '--root', fixture('vitest-threads'), '--pool', 'threads'], {
    // As from a shell: this test runs in vitest as well.
    env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, DIRECTORY: temporaryFolder() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  const [status] = await once(child, 'close')
  expect({ status, output }).toMatchObject({ status: 0, output: expect.stringContaining('"numPassedTests":2') })
})
