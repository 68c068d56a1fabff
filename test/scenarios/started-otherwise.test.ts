/** A log works however its program is given to Node, and with whatever Node loads into every thread. */
import { execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { failureOf, fixture, temporaryFolder } from './support.js'

const program = readFileSync(fixture('any-program.mjs'), 'utf8')
const preload = 'data:text/javascript,globalThis.isPreloaded = true'

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<unknown> {
  const child = spawn(process.execPath, args, {
    // Where `bookend` can be imported by name.
    cwd: path.dirname(fixture('.')),
    env: { ...process.env, FOLDER: temporaryFolder(), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => {}).end(program)
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  return output === '' ? errors : JSON.parse(output)
}

const done = { value: 7, isPreloaded: false, processed: 1 }

it('a log opens in a program on the command line', async () => {
  expect(await run(['--input-type=module', '-e', program])).toEqual(done)
  expect(await run(['--input-type', 'module', '--eval', program])).toEqual(done)
})

it('a log opens in a program on standard input', async () => {
  expect(await run(['--input-type=module'])).toEqual(done)
  expect(await run(['--input-type=module', '-'])).toEqual(done)
})

it('a log opens where NODE_OPTIONS says what the program is written in', async () => {
  expect(await run(['-'], { NODE_OPTIONS: '--input-type=module' })).toEqual(done)
})

it('what is loaded in advance, and flags of V8, do not get lost or in the way', async () => {
  const flags = ['--max-old-space-size=200', '--import', preload]
  expect(await run([...flags, '--input-type=module', '-e', program])).toEqual({ ...done, isPreloaded: true })
  expect(await run([...flags, fixture('any-program.mjs')])).toEqual({ ...done, isPreloaded: true })
})

it('a module that is loaded into every thread and opens a log is told so, in place of threads without end', async () => {
  const opens = `data:text/javascript,import { appendFileSync } from "node:fs"; import { threadId } from "node:worker_threads"; import { open } from ${JSON.stringify(
    new URL('../../dist/src/index.js', import.meta.url).href,
  )}; appendFileSync(process.env.FOLDER + "-threads", "."); if (threadId > 20) throw new Error("no end"); await open(process.env.FOLDER)`
  const folder = path.join(temporaryFolder(), 'log')
  const error = await failureOf(() =>
    promisify(execFile)(process.execPath, ['--import', opens, '-e', ''], { env: { ...process.env, FOLDER: folder } }),
  )
  expect(error.stderr).toContain('isMainThread')
  // The main thread, the writer and the reaper.
  expect(readFileSync(`${folder}-threads`, 'utf8').length).toBeLessThanOrEqual(3)
})
