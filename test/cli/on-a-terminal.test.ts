import { spawnSync } from 'node:child_process'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { commandFile, small, temporaryFolder } from './command.js'

/** util-linux: runs a command on a terminal of its own. */
const hasScript = spawnSync('script', ['--version']).status === 0

function onTerminal(command: string, env: Record<string, string> = {}): string {
  const inherited = { ...process.env, TERM: 'xterm', NO_COLOR: '', ...env }
  return spawnSync('script', ['-qec', command, '/dev/null'], { env: inherited, encoding: 'utf8' }).stdout
}

it.skipIf(!hasScript)('a terminal gets text with colours, and of the message nothing that it would obey', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, small)
  await log.topic('t').append(Buffer.from('\x1b[2J\x07end'), { key: '\x1b[31m' })
  await log.close()
  const command = `'${process.execPath}' '${commandFile}' tail '${directory}' t`
  const out = onTerminal(command)
  expect(out).toContain('\\u001b[2J\\u0007end\r\n')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  expect(out).toMatch(/\x1b\[33mkey=\\u001b\[31m\x1b\[39m/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  expect(out.replaceAll(/\x1b\[\d+m/g, '')).not.toMatch(/[^\P{Cc}\r\n]/u)
  expect(onTerminal(command, { NO_COLOR: '1' })).not.toContain('\x1b')
  expect(onTerminal(`${command} --format raw`)).toBe('\\u001b[2J\\u0007end\r\n')
})
