import { randomBytes } from 'node:crypto'
import { bytes, encrypted, json, type KeyRing, text } from 'bookend'
import { describe, expect, it } from 'vitest'

const ring = (...ids: string[]) => ({ current: ids[0], keys: new Map(ids.map((id) => [id, randomBytes(32)])) })

it('what comes back is what went in, whatever its codec and length', () => {
  const keys = ring('a')
  for (const length of [0, 1, 15, 16, 17, 70_000]) {
    const value = new Uint8Array(randomBytes(length))
    const codec = encrypted(bytes, keys)
    const stored = codec.encode(value)
    expect(stored.length).toBe(length + 29 + 1)
    expect(Buffer.compare(codec.decode(stored), value)).toBe(0)
  }
  expect(encrypted(text, keys).decode(encrypted(text, keys).encode('Größe'))).toBe('Größe')
  const order = { id: 1, paid: true }
  expect(encrypted(json, keys).decode(encrypted(json, keys).encode(order))).toEqual(order)
})

it('nothing of a value can be seen, and no two of the same are alike', () => {
  const codec = encrypted(text, ring('a'))
  const value = 'a secret that is long enough to be found'
  const stored = Array.from({ length: 600 }, () => Buffer.from(codec.encode(value)).toString('latin1'))
  expect(stored.filter((each) => each.includes('secret'))).toEqual([])
  expect(new Set(stored.map((each) => each.slice(2, 14))).size).toBe(600)
  expect(new Set(stored.map((each) => each.slice(14))).size).toBe(600)
})

it('a changed bit anywhere, or a cut end, is no value', () => {
  const keys = ring('a', 'b')
  const codec = encrypted(text, keys)
  const stored = codec.encode('hello')
  for (let bit = 0; bit < stored.length * 8; bit++) {
    const changed = stored.slice()
    changed[bit >>> 3] ^= 1 << (bit & 7)
    expect(() => codec.decode(changed)).toThrow()
  }
  for (let length = 0; length < stored.length; length++)
    expect(() => codec.decode(stored.subarray(0, length))).toThrow()
  // Under the name of another key, even where that is the same key.
  keys.keys.set('b', randomBytes(32).fill(keys.keys.get('a') ?? ''))
  const renamed = stored.slice()
  renamed[1] = 'b'.charCodeAt(0)
  expect(() => codec.decode(renamed)).toThrow()
})

it('keys are taken as they are at the moment: a new one for what comes, old ones for what is there, and none is none', () => {
  const keys: KeyRing<string> & { keys: Map<string, Uint8Array> } = ring('old', 'new')
  const codec = encrypted(text, keys)
  const first = codec.encode('first')
  keys.current = 'new'
  const second = codec.encode('second')
  expect([codec.decode(first), codec.decode(second)]).toEqual(['first', 'second'])
  keys.keys.delete('old')
  expect(() => codec.decode(first)).toThrow(/"old".*not in the key ring/)
  expect(codec.decode(second)).toBe('second')
  keys.keys.set('new', randomBytes(32))
  expect(() => codec.decode(second)).toThrow(/encrypted with the key "new".*another key has that id/)
})

it('values of one customer go with the key of that customer', () => {
  const keys = new Map(['anna', 'bert'].map((id) => [id, randomBytes(32)]))
  const codec = encrypted(json<{ of: string }>(), { current: ({ of }) => of, keys })
  const stored = ['anna', 'bert'].map((of) => codec.encode({ of }))
  keys.delete('anna')
  expect(() => codec.decode(stored[0])).toThrow(/anna/)
  expect(codec.decode(stored[1])).toEqual({ of: 'bert' })
})

describe('mistakes', () => {
  const key = randomBytes(32)
  it.each([
    [() => encrypted(undefined as never, ring('a')), TypeError],
    [() => encrypted({} as never, ring('a')), TypeError],
    [() => encrypted(text, undefined as never), TypeError],
    [() => encrypted(text, { current: 'a' } as never), TypeError],
    [() => encrypted(text, { keys: {} } as never), TypeError],
    [() => encrypted(text, { current: 'b', keys: { a: key } }).encode(''), TypeError],
    [() => encrypted(text, { current: 'toString', keys: {} }).encode(''), TypeError],
    [() => encrypted(text, { current: 'a', keys: { a: 'key' } as never }).encode(''), TypeError],
    [() => encrypted(text, { current: 'a', keys: { a: key.subarray(1) } }).encode(''), RangeError],
    [() => encrypted(text, { current: '', keys: { '': key } }).encode(''), RangeError],
    [() => encrypted(text, { current: 'ä'.repeat(128), keys: { ['ä'.repeat(128)]: key } }).encode(''), RangeError],
    [() => encrypted(text, { current: (() => 5) as never, keys: { a: key } }).encode(''), TypeError],
  ])('are told at once (%#)', (call, kind) => {
    expect(call).toThrow(kind)
  })
})
