import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { bookend, closedLog, commandFile, temporaryFolder } from './command.js'

const verbs = ['pages', 'stat', 'verify', 'repair']
const messageVerbs = ['topics', 'tail', 'get', 'grep', 'export', 'seek', 'trim', 'dead-letters']

it('help names every verb, with examples, and ends well', async () => {
  const { status, out, errors } = await bookend(['--help'])
  expect({ status, errors }).toEqual({ status: 0, errors: '' })
  for (const verb of [...verbs, ...messageVerbs, 'append', 'import', 'bench'])
    expect(out).toMatch(new RegExp(`^ +${verb} `, 'm'))
  expect(out).toContain('Examples:')
})

it.each([...verbs, ...messageVerbs])('%s has a section with a sample in docs/cli.md', (verb) => {
  const document = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
  const section = document.split(/^## /m).find((text) => text.startsWith(`bookend ${verb}\n`))
  expect(section).toContain(`$ bookend ${verb} event-log`)
})

it('bench --help is the help of the benchmark itself', async () => {
  const { status, out, errors } = await bookend(['bench', '--help'])
  expect({ status, errors }).toEqual({ status: 0, errors: '' })
  expect(out).toContain('--no-product')
  expect((await bookend(['help', 'bench'])).out).toContain('bench --help')
})

it('bench hands everything over, in order, and passes the status on', async () => {
  const folder = temporaryFolder()
  const report = path.join(folder, 'report.json')
  const quick = ['--only', 'append', '--messages', '100', '--rounds', '1', '--sizes', '100', '--no-install']
  const json = ['--dir', folder, '--json', report]
  const ran = await bookend(['bench', ...quick, '--peers', 'write-sync', ...json])
  expect({ status: ran.status, errors: ran.errors }).toEqual({ status: 0, errors: '' })
  expect((await bookend(['bench', '--from', report])).out).toContain('100 B')
  expect((await bookend(['bench', '--from', path.join(folder, 'missing')])).status).toBe(1)
  expect((await bookend(['bench', '--version'])).errors).toContain("unknown option '--version'")
})

it.each([...verbs, ...messageVerbs])('%s has help with an example', async (verb) => {
  const { status, out, errors } = await bookend([verb, '--help'])
  expect({ status, errors }).toEqual({ status: 0, errors: '' })
  expect(out).toContain(`bookend ${verb} ./event-log`)
})

it('version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(await bookend(['--version'])).toEqual({ status: 0, out: `${version}\n`, errors: '' })
})

it.each([
  [[]],
  [['unknown']],
  [['stat']],
  [['stat', 'a', 'b']],
  [['stat', 'a', '--unknown']],
  [['pages', 'a', '--watch', 'often']],
  [['verify', 'a', '--threads', '0']],
])('wrong usage %j is status 2 with a message', async (args) => {
  const { status, out, errors } = await bookend(args)
  expect(status).toBe(2)
  expect(out).toBe('')
  expect(errors).not.toBe('')
  expect(errors).not.toMatch(/^ +at /m)
})

it.each(verbs)('%s of what is no log is BOOKEND_FORMAT, and leaves it alone', async (verb) => {
  const empty = temporaryFolder()
  const other = path.join(empty, 'other')
  mkdirSync(other)
  writeFileSync(path.join(other, 'control'), 'something else')
  for (const directory of [other, path.join(empty, 'missing')]) {
    const { status, out, errors } = await bookend([verb, directory])
    expect({ status, out }).toEqual({ status: 1, out: '' })
    expect(errors).toContain('BOOKEND_FORMAT')
    expect(errors).toContain(directory)
  }
  expect(readdirSync(empty)).toEqual(['other'])
  expect(readdirSync(other)).toEqual(['control'])
})

it('a reader that goes away early is no failure', async () => {
  const directory = await closedLog()
  for (const args of [
    ['pages', directory, '--watch', '0.1', '--json'],
    ['stat', directory],
  ]) {
    const child = spawn(process.execPath, [commandFile, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let errors = ''
    child.stderr.on('data', (chunk) => {
      errors += chunk
    })
    child.stdout.once('data', () => child.stdout.destroy())
    const status = await new Promise((resolve) => child.once('close', resolve))
    expect({ status, errors }).toEqual({ status: 0, errors: '' })
  }
})

it('prints no colours into a pipe', async () => {
  const directory = await closedLog()
  for (const verb of verbs) {
    const { out, errors } = await bookend([verb, directory], { FORCE_COLOR: '1' })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
    expect(out + errors).not.toMatch(/\x1b/)
  }
})
