import { renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { visible } from '../../src/cli/visible.js'
import { bookend, closedLog, temporaryFolder } from './command.js'

it('control characters are shown, not obeyed; line ends and colours stay, and JSON stays the same', () => {
  expect(visible('a\x1b]0;title\x07\r\x9b2J\u202eb\nc')).toBe('a\\u001b]0;title\\u0007\\u000d\\u009b2J\\u202eb\nc')
  expect(visible('\x1b[1m\x1b[38;5;1mred\x1b[0m')).toBe('\x1b[1m\x1b[38;5;1mred\x1b[0m')
  expect(visible('\u{e0041}')).toBe('\\udb40\\udc41')
  const value = { name: 'tab\there \x7f \u{e0041} \u202e', list: ['\x1b[2J'] }
  expect(JSON.parse(visible(JSON.stringify(value, null, 2)))).toEqual(value)
})

it('neither the name of a directory nor the text of its lock reaches the terminal as it is', async () => {
  const directory = path.join(temporaryFolder(), 'log\x1b[2J\x9b5m')
  renameSync(await closedLog(), directory)
  writeFileSync(path.join(directory, 'lock'), 'pid 1 on \x1b]0;owned\x07elsewhere since ever\n\x1b[2Jmore')
  const runs = [
    ['stat', directory],
    ['stat', directory, '--json'],
    ['verify', directory],
    ['pages', directory],
  ]
  for (const { out, errors, status } of [
    ...(await Promise.all(runs.map((args) => bookend(args)))),
    await bookend(['stat', path.join(directory, 'nothing\x1b[2J')]),
  ]) {
    expect(status).toBeLessThan(2)
    expect(out + errors).not.toMatch(/[^\P{Cc}\n]/u)
  }
})
