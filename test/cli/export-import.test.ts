import { open } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { collect } from '../scenarios/support.js'
import { bookend, small, temporaryFolder } from './command.js'
import { feed, parsed } from './talk.js'

async function contents(directory: string) {
  await using log = await open(directory, { readOnly: true, readers: 1 })
  const topics: Record<string, unknown[]> = {}
  for (const name of await log.topics())
    topics[name] = (await collect(log.topic(name).read())).map(({ key, headers, value }) => ({ key, headers, value }))
  return topics
}

it('what was exported is imported as it was: keys, headers and values of any bytes', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, small)
  onTestFinished(() => log.close())
  const any = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  const headers = JSON.parse('{"__proto__":"p","\\u001b[2J":"\\u0000","é":"\\u2028"}') as Record<string, string>
  await log.topic('b').append(any, { key: any, headers })
  await log.topic('b').append(new Uint8Array(0))
  await log.topic('a').append(Buffer.from('\ufeffé\r\n\u0000\u202e'), { key: '' })
  for (let number = 0; number < 3_000; number++) await log.topic('a').append(Buffer.from(`${number}`.repeat(50)))
  const exported = await bookend(['export', directory])
  expect({ status: exported.status, errors: exported.errors }).toEqual({
    status: 0,
    errors: '3,003 messages exported\n',
  })
  expect(parsed(exported.out).slice(0, 1)).toMatchObject([
    { topic: 'a', offset: 0, key: '', timestamp: expect.any(Number) },
  ])
  const copy = temporaryFolder()
  const imported = await feed(exported.out, 'import', copy)
  expect(imported).toEqual({
    status: 0,
    out: '',
    errors: '3,003 messages imported: a (offsets 0 to 3,000), b (offsets 0 to 1)\n',
  })
  expect(await contents(copy)).toEqual(await contents(directory))
})

it('a part is exported as tail selects it, and its times may be kept in a header', async () => {
  const directory = temporaryFolder()
  const log = await open(directory, small)
  for (let number = 0; number < 5; number++)
    await log.topic('t').append(Buffer.from(`${number}`), { key: `${number % 2}` })
  await log.topic('u').append(new Uint8Array(1))
  const { timestamp } = (await log.topic('t').get(2))!
  await log.close()
  const { out } = await bookend(['export', directory, '--topic', 't', '--from', '1', '--key', '0'])
  expect(parsed(out).map(({ offset }) => offset)).toEqual([2, 4])
  const copy = temporaryFolder()
  expect((await feed(out, 'import', copy, '--time-header', 'at')).status).toBe(0)
  expect((await contents(copy)).t[0]).toMatchObject({ headers: { at: new Date(timestamp).toISOString() } })
})

it.each([
  ['{"topic":"t"}', /line 3 has no field "value"/],
  ['{"value":"x"}', /line 3 has no field "topic"/],
  ['{"topic":".t","value":"x"}', /line 3 has no field "topic"/],
  ['{"topic":"t","value":"x","header":{}}', /line 3 has a field "header"/],
  ['{"topic":"t","value":"x","headers":{"a":1}}', /line 3 has headers that are no object of texts/],
  ['{"topic":"t","value":"x","key":1}', /line 3 has a key that is no text/],
  ['{"topic":"t","value":"x!","encoding":"base64"}', /line 3 is not base64/],
  ['{"topic":"t","value":"x","encoding":"hex"}', /line 3 has an encoding "hex"/],
  [`{"topic":"t","value":"x","key":"${'k'.repeat(70_000)}"}`, /line 3: a key has at most 65536 bytes/],
  ['not JSON', /line 3 is not JSON/],
])(
  'a line that export cannot have written ends it with its number, and nothing before it is lost (%#)',
  async (line, message) => {
    const directory = temporaryFolder()
    const input = ['{"topic":"t","value":{"by":"hand"}}', '', line, '{"topic":"t","value":"behind"}'].join('\n')
    const { status, errors } = await feed(input, 'import', directory)
    expect(status).toBe(1)
    expect(errors).toMatch(message)
    expect(errors).not.toMatch(/^ +at /m)
    expect(await contents(directory)).toEqual({
      t: [expect.objectContaining({ value: new Uint8Array(Buffer.from('{"by":"hand"}')) })],
    })
  },
)
