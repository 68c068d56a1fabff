import { execFileSync } from 'node:child_process'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { bookend, commandFile, small, temporaryFolder } from './command.js'

const bytes = new Uint8Array([0, 0xff, 0x0a, 0x0d, 0x41])

async function oneMessage(): Promise<string> {
  const directory = temporaryFolder()
  await using log = await open(directory, small)
  await log.topic('t').append(bytes, { key: 'k' })
  return directory
}

it('raw is the value, byte by byte', async () => {
  const args = [commandFile, 'get', await oneMessage(), 't', '0', '--format', 'raw']
  expect(new Uint8Array(execFileSync(process.execPath, args))).toEqual(bytes)
})

it('prints a line of JSON into a pipe, and text where it is asked to', async () => {
  const directory = await oneMessage()
  const { status, out } = await bookend(['get', directory, 't', '0'])
  expect(status).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ topic: 't', offset: 0, key: 'k', value: 'AP8KDUE=', encoding: 'base64' })
  expect((await bookend(['get', directory, 't', '0', '--format', 'text'])).out).toMatch(
    / {2}key=k {2}\\x00\\xff\\n\\rA\n$/,
  )
})

it('what is not there is status 1, and a command that fails is status 2', async () => {
  const directory = await oneMessage()
  const missing = await bookend(['get', directory, 't', '1'])
  expect(missing).toEqual({ status: 1, out: '', errors: 'bookend: there is no message 1 in t: 0 to 0 are there\n' })
  expect((await bookend(['get', directory, 'other', '0'])).status).toBe(1)
  expect((await bookend(['get', temporaryFolder(), 't', '0'])).status).toBe(2)
  expect((await bookend(['get', directory, 't', 'first'])).status).toBe(2)
})
