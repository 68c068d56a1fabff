/** Handlers get the values that their topic's codec decodes. */
import { readFileSync } from 'node:fs'
import { bytes, type Codec, json, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, openLog, temporaryFolder } from './support.js'

const own: Codec<unknown> = { encode: () => new Uint8Array([1, 2]), decode: () => 'never' }

function moduleOf(name: string): { module: URL; said(): string[] } {
  const file = `${temporaryFolder()}/said`
  const module = new URL(`../fixtures/handler-types.mjs?${name}`, import.meta.url)
  module.searchParams.set('file', file)
  return { module, said: () => readFileSync(file, 'utf8').trim().split('\n') }
}

/** As a copy of the package has them that the application, or another package, brought along. */
const copy = (await import(new URL('../../dist/src/messages/codec.js?copy', import.meta.url).href)) as {
  json: Codec<unknown>
  text: Codec<string>
}

it('a copy has codecs of its own', () => {
  expect([copy.json === json, copy.text === text]).toEqual([false, false])
})

for (const [name, codec, value, expected] of [
  ['json', json, { id: [1] }, '{"id":[1]}'],
  ['json of a type', json<{ id: number[] }>(), { id: [1] }, '{"id":[1]}'],
  ['text', text, 'grün', '"grün"'],
  ['bytes', bytes, new Uint8Array(3), 'bytes 3'],
  ['none', undefined, new Uint8Array(3), 'bytes 3'],
  ['own', own, 'x', 'bytes 2'],
  ['made of json', { ...json, encode: () => new Uint8Array([3, 4, 5]) }, 'x', 'bytes 3'],
  ['json of another copy', copy.json, { id: [1] }, '{"id":[1]}'],
  ['text of another copy', copy.text, 'grün', '"grün"'],
] as [string, Codec<unknown>, unknown, string][]) {
  it(`a handler gets what the codec of its topic decodes (${name})`, async () => {
    const log = await openLog()
    const topic = log.topic('t', { codec })
    await topic.append(value)
    for (const views of ['copied', 'mapped'] as const) {
      const { module, said } = moduleOf('plain')
      await topic.group(views).process(module, { views }).idle()
      expect(said()).toEqual([expected])
    }
    expect(await topic.scan(moduleOf('plain').module)).toHaveLength(1)
  })
}

it('a module that exports a codec gets what that decodes, in a scan too', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: json })
  await topic.append(1)
  const { module, said } = moduleOf('own')
  await topic.group('g').process(module).idle()
  expect(said()).toEqual(['{"own":"31"}'])
  expect(await topic.scan(module)).toEqual([{ own: '31' }])
  expect(await topic.scan(moduleOf('plain').module)).toEqual([1])
})

it('a module whose codec cannot decode does not load', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: json })
  await topic.append(1)
  const { module } = moduleOf('bad')
  expect((await codedFailureOf(() => topic.group('g').process(module).finished)).code).toBe('BOOKEND_HANDLER')
  expect((await codedFailureOf(() => topic.scan(module))).code).toBe('BOOKEND_HANDLER')
})

it('what cannot be decoded fails in the handler, and becomes a dead letter as it is', async () => {
  const log = await openLog()
  await log.topic('t').append(Buffer.from('{'))
  await log.topic('t').append(Buffer.from('{}'))
  const { module, said } = moduleOf('plain')
  const group = log.topic('t', { codec: json }).group('g')
  await group.process(module, { retries: 0, deadLetter: 'dead' }).idle()
  expect(said()).toEqual(['{}'])
  const [letter] = await collect(log.topic('dead', { codec: text }).read())
  expect(letter.value).toBe('{')
  expect(letter.headers?.['bookend-error']).toContain('the codec of topic "t" cannot decode message 0')
})
