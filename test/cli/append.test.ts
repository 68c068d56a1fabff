import { readdirSync } from 'node:fs'
import { open, text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { collect } from '../scenarios/support.js'
import { bookend, small, temporaryFolder } from './command.js'
import { feed, parsed, start } from './talk.js'

async function valuesOf(directory: string, topic = 't'): Promise<string[]> {
  await using log = await open(directory, { readOnly: true, readers: 1 })
  return (await collect(log.topic(topic).read())).map(({ value }) => Buffer.from(value).toString('latin1'))
}

it('append makes a message of every line, whatever its bytes and its end, and the log if there is none', async () => {
  const directory = temporaryFolder()
  const input = Buffer.from('one\r\n\nb\xff\x00\rc\r\r\nlast', 'latin1')
  const { status, out, errors } = await feed(input, 'append', directory, 't')
  expect({ status, out }).toEqual({ status: 0, out: '' })
  expect(errors).toBe('4 messages appended: t (offsets 0 to 3)\n')
  expect(await valuesOf(directory)).toEqual(['one', '', 'b\xff\x00\rc\r', 'last'])
})

it('append goes on behind what is there, and takes more than its ring holds', async () => {
  const directory = temporaryFolder()
  const numbers = Array.from({ length: 60_000 }, (_, number) => `${number} ${'x'.repeat(200)}`)
  await feed('before\n', 'append', directory, 't')
  const { status, errors } = await feed(`${numbers.join('\n')}\n`, 'append', directory, 't')
  expect({ status, errors }).toEqual({ status: 0, errors: '60,000 messages appended: t (offsets 1 to 60,000)\n' })
  expect(await valuesOf(directory)).toEqual(['before', ...numbers])
})

it('keys come from a field, headers from the command line', async () => {
  const directory = temporaryFolder()
  const lines = '{"id":7,"at":1}\n\n{ "id": "x" }\n'
  const options = ['--key-from', 'id', '--header', 'host=a=b', '--header', 'n=1']
  expect((await feed(lines, 'append', directory, 't', ...options)).status).toBe(0)
  await using log = await open(directory, { readOnly: true, readers: 1 })
  const messages = await collect(log.topic('t', { codec: text }).read())
  expect(messages.map(({ keyText, headers, value }) => [keyText, headers, value])).toEqual([
    ['7', { host: 'a=b', n: '1' }, '{"id":7,"at":1}'],
    ['x', { host: 'a=b', n: '1' }, '{ "id": "x" }'],
  ])
})

it.each([
  ['{"id":1}\n{"no":1}\n{"id":2}\n', ['--key-from', 'id'], /line 2 has no field "id"/],
  ['{"id":1}\n{"id":\n{"id":2}\n', ['--format', 'ndjson'], /line 2 is not JSON/],
  ['{"id":1}\n[1]\n{"id":2}\n', ['--key-from', 'id'], /line 2 is no JSON object/],
  [`{"id":1}\n${'x'.repeat(1_200_000)}\nlater\n`, [], /line 2: .*BOOKEND_TOO_LARGE/],
  [`{"id":1}\n${'x'.repeat(17 << 20)}\nlater\n`, [], /line 2 .*BOOKEND_TOO_LARGE/],
])(
  'a line that cannot be taken ends it with its number, and what stands before it is written (%#)',
  async (input, options, message) => {
    const directory = temporaryFolder()
    await (await open(directory, small)).close()
    const { status, errors } = await feed(input, 'append', directory, 't', ...options)
    expect(status).toBe(1)
    expect(errors).toMatch(/^1 message appended: t \(offset 0\)\nbookend: /)
    expect(errors).toMatch(message)
    expect(await valuesOf(directory)).toEqual(['{"id":1}'])
  },
)

it('append to a log in use is refused with a status of its own, and says by whom', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, small)
  onTestFinished(() => log.close())
  const { status, errors } = await feed('one\n', 'append', directory, 't')
  expect(status).toBe(3)
  expect(errors).toContain(`pid ${process.pid}`)
  expect(errors).toContain('BOOKEND_LOCKED')
  expect(await log.topics()).toEqual([])
})

it('interrupted, append writes what it has read, says so, and leaves the log in order', async () => {
  const directory = temporaryFolder()
  const running = start('append', directory, 't')
  running.child.stdin.write('one\ntwo\nhalf')
  const watcher = await watchUntil(directory, 2)
  running.child.kill('SIGINT')
  const { status, errors } = await running.ended
  expect({ status, errors }).toEqual({
    status: 130,
    errors: '2 messages appended: t (offsets 0 to 1)\nbookend: interrupted\n',
  })
  expect(watcher).toBe(2)
  const stat = parsed<{ isClean: boolean }>((await bookend(['stat', directory, '--json'])).out.replaceAll('\n', ' '))
  expect(stat[0].isClean).toBe(true)
})

it.each([
  [['append', 'DIR', '.t']],
  [['append', 'DIR', 't', '--key', 'a', '--key-from', 'b']],
  [['append', 'DIR', 't', '--format', 'lines', '--key-from', 'b']],
  [['append', 'DIR', 't', '--header', 'novalue']],
])('wrong usage %j is status 2 and makes no log', async (args) => {
  const directory = temporaryFolder()
  const { status } = await feed('x\n', ...args.map((arg) => (arg === 'DIR' ? directory : arg)))
  expect(status).toBe(2)
  expect(readdirSync(directory)).toEqual([])
})

/** How many messages are there, once they are at least so many: somebody else is writing them. */
async function watchUntil(directory: string, count: number): Promise<number> {
  for (;;) {
    const seen = await valuesOf(directory).then(
      ({ length }) => length,
      () => 0,
    )
    if (seen >= count) return seen
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
