import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import path from 'node:path'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { bytes } from '../../src/cli/units.js'
import { bookend, closedLog, commandFile, small, temporaryFolder } from './command.js'

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

it.skipIf(!hasScript)(
  'on a terminal grep and import say how far they are, and what is found stands on lines of its own',
  async () => {
    const directory = await closedLog()
    const command = `'${process.execPath}' '${commandFile}'`
    const found = onTerminal(`${command} grep '${directory}' '^7{3000}$' --format '{topic}:{offset}'`)
    expect(found).toContain('275 of 275')
    // The bar's line is cleared before.
    expect(found).toContain('\x1b[2Korders:7\r\n')
    const file = path.join(temporaryFolder(), 'exported.ndjson')
    expect(onTerminal(`${command} export '${directory}' > '${file}'`)).toContain('275 of 275')
    const size = bytes(statSync(file).size)
    expect(onTerminal(`${command} import '${temporaryFolder()}' < '${file}'`)).toContain(`${size} of ${size}`)
  },
)

it('elsewhere nothing of that is shown', async () => {
  const directory = await closedLog()
  expect((await bookend(['grep', directory, 'nowhere'])).errors).toBe('')
  expect((await bookend(['export', directory])).errors).toBe('275 messages exported\n')
})
