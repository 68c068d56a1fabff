import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { until } from '../scenarios/support.js'
import { temporaryFolder } from './temporary-folder.js'

const PROGRAM = fileURLToPath(new URL('../../dist/examples/word-count/main.js', import.meta.url))
/** Short TTL, few threads: these runs are about what comes out, not about how fast. */
const QUICK = ['--ttl-ms', '50', '--readers', '2', '--segment-mb', '1']

interface Run {
  readonly status: number | null
  readonly output: string
  readonly errors: string
  readonly temporary: string
}

interface Summary {
  messages: number
  bytes: number
  isEqual: boolean
  words: number
  scan: { messages: number }
  top: { word: string; count: number }[]
  topics: {
    name: string
    source: string
    first: number
    next: number
    sha256: string
    messages: number
    top: { word: string; count: number }[]
  }[]
}

interface Started extends Pick<Run, 'temporary'> {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Run>
}

/** Starts the built program with a temporary folder of its own, so that what it leaves there can be seen. */
function start(args: readonly string[]): Started {
  const temporary = temporaryFolder()
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, TMPDIR: temporary, NO_COLOR: '1' },
    stdio: 'pipe',
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  // A program that fails early closes its standard input before all of it is written: no failure of the test.
  child.stdin.on('error', () => {})
  const ended = new Promise<Run>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, output, errors, temporary }))
  })
  return { child, ended, temporary }
}

function run(args: readonly string[], input = ''): Promise<Run> {
  const { child, ended } = start(args)
  child.stdin.end(input)
  return ended
}

async function summarize(args: readonly string[], input = ''): Promise<Summary> {
  const { status, output, errors } = await run([...QUICK, '--json', ...args], input)
  expect(status, errors).toBe(0)
  return JSON.parse(output) as Summary
}

function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex')
}

describe('word-count', () => {
  test('counts files, gzip files, folders and standard input, a topic each', async () => {
    const folder = temporaryFolder()
    const plain = 'The cat.\r\nthe dog\n\nTHE end'
    const packed = 'one two two\nthree three three\n'
    const nested = 'x '.repeat(5)
    mkdirSync(join(folder, 'sub'))
    writeFileSync(join(folder, 'plain.txt'), plain)
    writeFileSync(join(folder, 'packed.log.gz'), gzipSync(packed))
    writeFileSync(join(folder, 'sub', 'plain.txt'), nested)
    writeFileSync(join(folder, 'empty.txt'), '')
    const summary = await summarize([folder, '-'], 'from stdin\nstdin\n')

    expect(summary).toMatchObject({ messages: 4 + 2 + 1 + 2, scan: { messages: 9 }, isEqual: true })
    expect(summary.bytes).toBe(plain.length + packed.length + nested.length + 'from stdin\nstdin\n'.length)
    const topics = Object.fromEntries(summary.topics.map((topic) => [topic.name, topic]))
    expect(Object.keys(topics)).toEqual(['empty.txt', 'packed.log.gz', 'plain.txt', 'sub.plain.txt', 'stdin'])
    expect(topics['plain.txt']).toMatchObject({ first: 0, next: 4, messages: 4, sha256: sha256(plain) })
    expect(topics['plain.txt']!.top[0]).toEqual({ word: 'the', count: 3 })
    expect(topics['packed.log.gz']!.sha256).toBe(sha256(packed))
    expect(topics['packed.log.gz']!.top).toEqual([
      { word: 'three', count: 3 },
      { word: 'two', count: 2 },
      { word: 'one', count: 1 },
    ])
    expect(topics['sub.plain.txt']!.top).toEqual([{ word: 'x', count: 5 }])
    expect(topics.stdin!.top[0]).toEqual({ word: 'stdin', count: 2 })
    expect(topics['empty.txt']).toMatchObject({ messages: 0, top: [] })
  })

  test('counts exactly over several segments and lines longer than a message', async () => {
    const folder = temporaryFolder()
    const line = `${Array.from({ length: 20 }, (_, index) => `word${index}`).join(' ')}\n`
    writeFileSync(join(folder, 'many.txt'), line.repeat(30_000))
    writeFileSync(join(folder, 'long.txt'), 'alpha beta '.repeat(100_000))
    const summary = await summarize([folder])
    expect(summary.isEqual).toBe(true)
    expect(summary.words).toBe(20 * 30_000 + 200_000)
    const [long, many] = summary.topics
    expect(many).toMatchObject({ name: 'many.txt', messages: 30_000, top: [{ word: 'word0', count: 30_000 }, {}, {}] })
    expect(long!.top).toEqual([
      { word: 'alpha', count: 100_000 },
      { word: 'beta', count: 100_000 },
    ])
  })

  test('ends quietly when its reader goes away, as `| head` does', async () => {
    const file = join(temporaryFolder(), 'words.txt')
    writeFileSync(file, 'a b c\n')
    const { child, ended } = start([...QUICK, '--json', file])
    child.stdout.destroy()
    const { status, errors, temporary } = await ended
    expect({ status, errors: errors.includes('EPIPE') }).toEqual({ status: 0, errors: false })
    expect(readdirSync(temporary)).toEqual([])
  })

  test('appends to the log that --dir names, and verifies what it appended', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'words.txt')
    writeFileSync(file, 'a b\nc\n')
    const log = join(folder, 'log')
    expect((await summarize(['--dir', log, file])).topics[0]).toMatchObject({ first: 0, next: 2, messages: 2 })
    const again = await summarize(['--dir', log, file])
    expect(again).toMatchObject({ messages: 2, isEqual: true })
    expect(again.topics[0]).toMatchObject({ first: 2, next: 4, messages: 4 })
    expect(existsSync(log)).toBe(true)
  })

  test('prints a summary to read, and removes its temporary log', async () => {
    const file = join(temporaryFolder(), 'words.txt')
    writeFileSync(file, 'hello hello world\n')
    const { status, output, temporary } = await run([...QUICK, file])
    expect(status).toBe(0)
    expect(output).toMatch(/words\.txt +1 +0\.00 +3 +hello 2 {2}world 1/)
    expect(output).toContain('1 message read back equal the input byte for byte')
    expect(output).not.toMatch(/[^\n] \n/)
    expect(readdirSync(temporary)).toEqual([])
  })

  test('keeps the temporary log on request', async () => {
    const file = join(temporaryFolder(), 'words.txt')
    writeFileSync(file, 'kept\n')
    const { status, temporary } = await run([...QUICK, '--keep', file])
    expect(status).toBe(0)
    expect(readdirSync(temporary)).toHaveLength(1)
  })

  test('fails on a missing file before it makes a log', async () => {
    const folder = temporaryFolder()
    const log = join(folder, 'log')
    writeFileSync(join(folder, 'there.txt'), 'there\n')
    const missing = join(folder, 'missing.txt')
    const { status, output, errors } = await run([...QUICK, '--dir', log, join(folder, 'there.txt'), missing])
    expect(status).toBe(1)
    expect(output).toBe('')
    expect(errors).toBe(`word-count: cannot read ${missing}: no such file or folder\n`)
    expect(existsSync(log)).toBe(false)
  })

  test('fails on a damaged gzip file, and leaves no temporary log', async () => {
    const file = join(temporaryFolder(), 'cut.gz')
    writeFileSync(file, gzipSync('some text that will be cut\n'.repeat(100)).subarray(0, 40))
    const { status, errors, temporary } = await run([...QUICK, file])
    expect(status).toBe(1)
    expect(errors).toMatch(/^word-count: cannot read .*cut\.gz: the gzip data ends too early/)
    expect(readdirSync(temporary)).toEqual([])
  })

  test('stops on an interrupt while it waits for standard input, and leaves no temporary log', async () => {
    const { child, ended, temporary } = start([...QUICK, '-'])
    child.stdin.write('a line\nhalf a')
    await until('it has a temporary log', () => readdirSync(temporary).length > 0)
    child.kill('SIGINT')
    const { status, errors } = await ended
    expect(status, errors).toBe(130)
    expect(errors).toContain('word-count: interrupted')
    expect(readdirSync(temporary)).toEqual([])
  })

  test('rejects an option that makes no sense', async () => {
    const { status, errors } = await run(['--ttl-ms', 'soon'])
    expect(status).toBe(1)
    expect(errors).toContain('It must be a whole number from 1.')
  })
})
