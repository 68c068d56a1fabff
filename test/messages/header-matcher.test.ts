import { expect, it } from 'vitest'
import { writeDataFrame } from '../../src/format/frame-encoder.js'
import { frameHeaderBytes } from '../../src/format/frame-layout.js'
import { HeaderMatcher } from '../../src/messages/header-matcher.js'

const utf8 = (text: string) => new TextEncoder().encode(text)

function recordWith(headers: string | undefined, key?: string) {
  const bytes = new Uint8Array(4_096)
  const words = new Uint32Array(bytes.buffer)
  const extras = {
    key: key === undefined ? undefined : utf8(key),
    headers: headers === undefined ? undefined : utf8(headers),
  }
  writeDataFrame(bytes, words, 0, 0, utf8('{"a":"b"}'), extras, 0)
  return { bytes, words, frame: 0, offset: 0, timestamp: 0 }
}

const wants = (headers: Record<string, string[]>) =>
  new HeaderMatcher(Object.entries(headers).map(([name, values]) => ({ name, values })))

it('finds headers by whole names and whole values, wherever they stand', () => {
  const matcher = wants({ a: ['b', 'c'], x: ['y'] })
  const matches = (headers: object) => matcher.matches(recordWith(JSON.stringify(headers), 'key'))
  expect(matches({ a: 'c', x: 'y' })).toBe(true)
  expect(matches({ x: 'y', other: '"a":"b"', a: 'b' })).toBe(true)
  expect(matches({ a: 'b' })).toBe(false)
  expect(matches({ a: 'bb', x: 'y' })).toBe(false)
  expect(matches({ a: '', x: 'y' })).toBe(false)
  expect(matches({ aa: 'b', x: 'y' })).toBe(false)
  expect(matches({ other: '","a":"b","x":"y', '\\': '\\"' })).toBe(false)
})

it('a message without headers matches nothing, and its key and value are not taken for headers', () => {
  expect(wants({ a: ['b'] }).matches(recordWith(undefined))).toBe(false)
  expect(wants({ a: ['b'] }).matches(recordWith(undefined, '{"a":"b"}'))).toBe(false)
})

it('headers in another form are read as JSON; those that are none match nothing', () => {
  const matcher = wants({ a: ['b'] })
  expect(matcher.matches(recordWith('{ "a" : "b" }'))).toBe(true)
  expect(matcher.matches(recordWith('{"x":"y" , "\\u0061":"b"}'))).toBe(true)
  expect(matcher.matches(recordWith('{"x":{"a":"b"}}'))).toBe(false)
  for (const broken of ['{', '{"', '{"a', '{"a":', '{"a":"b', '{"a":"b\\', '"a":"b"}', '[', '\u0000', '{"a";"b"}'])
    expect(matcher.matches(recordWith(broken)), broken).toBe(false)
})

it('lengths that somebody made up lead to no bytes of others', () => {
  const record = recordWith('{"x":"y"}')
  for (const length of [0xffff_fff0, 1_000, 40]) {
    record.words[(frameHeaderBytes >>> 2) + 1] = length
    expect(wants({ a: ['b'] }).matches(record)).toBe(false)
  }
})
