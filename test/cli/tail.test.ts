import { spawn } from 'node:child_process'
import { type Log, open } from 'bookend'
import { expect, it } from 'vitest'
import { bookend, commandFile, small, temporaryFolder } from './command.js'
import { parsed, start } from './talk.js'

/** Twenty messages with keys and headers, and one that wants to be more than a line. */
async function filledLog(): Promise<string> {
  const directory = temporaryFolder()
  await using log = await open(directory, small)
  const orders = log.topic('orders')
  for (let number = 0; number < 20; number++) {
    const headers = { type: number % 5 === 0 ? 'refund' : 'sale', shop: `s${number % 2}` }
    await orders.append(Buffer.from(`order ${number}`), { key: `k${number % 3}`, headers })
  }
  await orders.append(Buffer.from('a\nb\r\x1b[2J\u202e\x9b'), { key: '\x07', headers: { '\x1b[31m': '\x00' } })
  await orders.append(new Uint8Array([0xff, 0x41, 0x0a]))
  return directory
}

it('a time that text prints is a time that --from takes', async () => {
  const log = await filledLog()
  const { out } = await bookend(['tail', log, 'orders', '--last', '1', '--format', 'text'])
  const [, time] = /^21 {2}(\S+ \S+) {2}/.exec(out) ?? []
  const from = await bookend(['tail', log, 'orders', '--from', time])
  expect(parsed(from.out).at(-1)).toMatchObject({ offset: 21 })
})

it('text is one line a message, with nothing in it that a terminal obeys', async () => {
  const log = await filledLog()
  const { out } = await bookend(['tail', log, 'orders', '--last', '3', '--format', 'text'])
  const lines = out.split('\n')
  expect(lines).toHaveLength(4)
  expect(lines[0]).toMatch(
    /^19 {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2}key=k1 {2}type=sale {2}shop=s1 {2}order 19$/,
  )
  expect(lines[1]).toMatch(/ {2}key=\\u0007 {2}\\u001b\[31m=\\u0000 {2}a\\nb\\r\\u001b\[2J\\u202e\\u009b$/)
  expect(lines[2]).toMatch(/ {2}\\xffA\\n$/)
})

it('ndjson has every character as it was, escaped where it must be', async () => {
  const log = await filledLog()
  const { out } = await bookend(['tail', log, 'orders', '--last', '2'])
  expect(out).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u)
  expect(parsed(out)).toMatchObject([
    { topic: 'orders', offset: 20, key: '\x07', headers: { '\x1b[31m': '\x00' }, value: 'a\nb\r\x1b[2J\u202e\x9b' },
    { offset: 21, value: '/0EK', encoding: 'base64' },
  ])
  const pretty = await bookend(['tail', log, 'orders', '--last', '1', '--format', 'json'])
  expect(JSON.parse(pretty.out)).toEqual(parsed(out)[1])
})

it('a template names what it prints', async () => {
  const log = await filledLog()
  const format = '{"n":{offset}}\\t{key} {header:type}{header:none} {topic} {value}'
  const { out } = await bookend(['tail', log, 'orders', '--from', '4', '--to', '5', '--format', format])
  expect(out).toBe('{"n":4}\tk1 sale orders order 4\n')
})

it('raw is the bytes of the values', async () => {
  const log = await filledLog()
  const { out } = await bookend(['tail', log, 'orders', '--from', '3', '--to', '5', '--format', 'raw'])
  expect(out).toBe('order 3\norder 4\n')
})

it.each([
  [['--from', 'yesterday']],
  [['--from', '-1']],
  [['--from', '2026-13-01']],
  [['--from', '2026-02-30']],
  [['--from', '1', '--last', '1']],
  [['--last', 'x']],
  [['--where', 'type']],
  [['--format', 'xml']],
  [['--format', '{ofset}']],
])('wrong usage %j is status 2', async (args) => {
  const { status, out, errors } = await bookend(['tail', 'nowhere', 'orders', ...args])
  expect({ status, out }).toEqual({ status: 2, out: '' })
  expect(errors).toMatch(/^error: option/)
})

it('a topic that is not there is named, with those that are', async () => {
  const log = await filledLog()
  const { status, errors } = await bookend(['tail', log, 'order'])
  expect({ status, errors }).toEqual({ status: 1, errors: `bookend: ${log} has no topic order: it has orders\n` })
})

it('follows a topic that is still to come, over the end of the owner and its next start, until it is interrupted', async () => {
  const directory = temporaryFolder()
  const owner = await open(directory, small)
  const running = start('tail', directory, 't', '--follow', '--format', '{value}', '--where', 'wanted=yes')
  const append = async (log: Log, value: string, wanted: string) =>
    log.topic('t').append(Buffer.from(value), { headers: { wanted } })
  await append(owner, 'one', 'yes')
  await append(owner, 'not this', 'no')
  await running.printed((out) => out === 'one\n')
  await owner.close()
  await using next = await open(directory, small)
  await append(next, 'two', 'yes')
  await running.printed((out) => out === 'one\ntwo\n')
  running.child.kill('SIGINT')
  expect(await running.ended).toEqual({ status: 0, out: 'one\ntwo\n', errors: '' })
})

it('follows to where it is told to', async () => {
  const directory = temporaryFolder()
  await using log = await open(directory, small)
  await log.topic('t').append(new Uint8Array(1))
  const running = start('tail', directory, 't', '--follow', '--to', '3', '--format', '{offset}')
  await running.printed((out) => out === '0\n')
  await log.topic('t').appendMany([new Uint8Array(1), new Uint8Array(1), new Uint8Array(1)])
  expect(await running.ended).toEqual({ status: 0, out: '0\n1\n2\n', errors: '' })
})

it('a reader that has seen enough is no failure', async () => {
  const directory = temporaryFolder()
  await using log = await open(directory, small)
  await log.topic('t').appendMany(Array.from({ length: 3_000 }, () => new Uint8Array(300).fill(65)))
  await log.close()
  const child = spawn(process.execPath, [commandFile, 'tail', directory, 't', '--from', 'first'])
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  child.stdout.once('data', () => child.stdout.destroy())
  const status = await new Promise((resolve) => child.once('close', resolve))
  expect({ status, errors }).toEqual({ status: 0, errors: '' })
})
