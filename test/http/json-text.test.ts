import { expect, it } from 'vitest'
import { jsonBounds } from '../../src/http/json-text.js'
import { Seeded } from '../support/seeded.js'
import { jsonType, streams } from './web.js'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** As the language says. */
function parsed(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

/** What is cut out is the whole, or its elements; and there is nothing but space and commas between them. */
function check(text: string): void {
  const expected = parsed(text)
  const bytes = Buffer.from(text)
  const bounds = jsonBounds(bytes, Number.POSITIVE_INFINITY)
  if (expected === undefined) {
    expect(bounds, text).toBe('none')
    return
  }
  expect(bounds, text).not.toBe('none')
  const cut = (bounds as number[]).flatMap((from, index) =>
    index % 2 === 0 ? [bytes.toString('utf8', from, (bounds as number[])[index + 1])] : [],
  )
  const isArray = Array.isArray(expected.value)
  expect(
    cut.map((each) => JSON.parse(each)),
    text,
  ).toEqual(isArray ? expected.value : [expected.value])
  expect(cut, text).toEqual(cut.map((each) => each.trim()))
}

it('takes for JSON what the language does, and nothing else', () => {
  const good = [
    '0',
    '-0',
    '-1.5e+10',
    '1E5',
    '10',
    '""',
    '"\\u00fF\\n\\/"',
    'true',
    'null',
    '[]',
    ' [ ] ',
    '{}',
    '{ "a" : [ 1 , { } ] }',
  ]
  good.push('[[],[[]],{"":{}}]', '\t\r\n1\n', '"ä\u{1f600}\\ud800"', '{"a":1,"a":2}', '[1,"]",{"}":"\\""},null]')
  const bad = [
    '',
    ' ',
    '01',
    '-',
    '+1',
    '1.',
    '.5',
    '1e',
    '1e+',
    '--1',
    '0x1',
    '1 2',
    '"',
    '"\\x"',
    '"\\u12g4"',
    '"\n"',
    '"\\',
  ]
  bad.push(
    'tru',
    'True',
    'nul',
    'nulll',
    '[',
    ']',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[}',
    '{]',
    '{"a"}',
    '{"a":}',
    '{a:1}',
    '{"a":1,}',
  )
  bad.push(
    '{1:1}',
    '{"a":1 "b":2}',
    '[1]]',
    '{}{}',
    '\u00a01',
    '\u000b1',
    '1\u0000',
    "'a'",
    'NaN',
    '[1,2',
    '"a',
    '{"a":1',
    '{"a"',
    '/**/1',
  )
  for (const text of [...good, ...bad]) check(text)
  expect(good.every((text) => parsed(text)) && !bad.some((text) => parsed(text))).toBe(true)
})

it('and of texts that are changed here and there, cut off, or made of its letters', () => {
  const random = new Seeded(20)
  const pick = <T>(from: readonly T[]) => from[random.below(from.length)] as T
  const letters = [...'[]{},:"\\ \n0123456789-+.eEu/abcdftrlsn\t']
  const value = (depth: number): unknown => {
    const kind = random.below(depth > 4 ? 4 : 6)
    if (kind === 0) return pick([0, -1.5, 1e-300, 12345, null, true, false])
    if (kind < 4)
      return Array.from({ length: random.below(6) }, () => pick([...letters, 'ä', '\u{1f600}', '\u0001'])).join('')
    const parts = Array.from({ length: random.below(5) }, () => value(depth + 1))
    return kind === 4 ? parts : Object.fromEntries(parts.map((part, index) => [`${pick(letters)}${index}`, part]))
  }
  let good = 0
  for (let round = 0; round < 5_000; round++) {
    let text = JSON.stringify(value(0), undefined, pick([undefined, 1, '\t']))
    if (random.chance(0.1)) text = Array.from({ length: random.below(8) }, () => pick(letters)).join('')
    for (let change = random.below(3); change > 0; change--) {
      const at = random.below(text.length + 1)
      text = text.slice(0, at) + pick([...letters, '']) + text.slice(at + random.below(3))
    }
    // Half of a pair is no text in UTF-8.
    text = Buffer.from(text).toString()
    check(text)
    if (parsed(text) !== undefined) good += 1
  }
  // Enough of both.
  expect(good).toBeGreaterThan(1_000)
  expect(good).toBeLessThan(4_000)
})

it('however deep it is', () => {
  const depth = 1_000_000
  const text = Buffer.from('['.repeat(depth) + ']'.repeat(depth))
  expect(jsonBounds(text, 2)).toEqual([1, 2 * depth - 1])
  expect(jsonBounds(text.subarray(0, -1), 2)).toBe('none')
})

it('a request has so many messages at most, and bytes that are text', async () => {
  const { ask, log } = await streams({ limits: { messages: 3 } })
  expect((await ask('PUT', '/a', jsonType, '[1,2,3,4]')).status).toBe(413)
  expect(await log.topics()).toEqual([])
  expect((await ask('PUT', '/a', jsonType, '[1,2,3]')).status).toBe(201)
  expect((await ask('POST', '/a', jsonType, '[4,5,6,7]')).status).toBe(413)
  expect((await ask('POST', '/a', jsonType, '[[4,5,6,7]]')).status).toBe(204)
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0xaf, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xe2, 0x82, 0x22],
  ]) {
    expect(() => decoder.decode(new Uint8Array(bytes))).toThrow()
    expect((await ask('POST', '/a', jsonType, new Uint8Array(bytes))).status).toBe(400)
  }
  // As some editors write it.
  expect((await ask('POST', '/a', jsonType, new Uint8Array([0xef, 0xbb, 0xbf, 0x38]))).status).toBe(204)
  expect(await (await ask('GET', '/a')).text()).toBe('[1,2,3,[4,5,6,7],8]')
})
