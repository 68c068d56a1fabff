import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { bytes, type Codec, json, text } from '../../src/messages/codec.js'
import { textOf } from '../../src/messages/utf8.js'
import { decoderOf, encoderOf, lastingEncoderOf } from '../../src/messages/value-coding.js'

const utf8 = new TextEncoder()

/** @param encodeInto of a codec that is honest otherwise */
function codecWith(encodeInto: Codec<string>['encodeInto']): Codec<string> & { encode: ReturnType<typeof vi.fn> } {
  return {
    encode: vi.fn((value: string) => utf8.encode(value)),
    decode: (encoded) => textOf(encoded, 0, encoded.length),
    encodeInto,
  }
}

function writeInto(value: string, target: Uint8Array): number {
  const { read, written } = utf8.encodeInto(value, target)
  return read === value.length ? written : -1
}

describe('text', () => {
  it('is read where it stands as a decoder of the platform reads a view of it, whatever the bytes', () => {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    const chunks = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.string({ unit: 'binary', maxLength: 30 }).map((written) => utf8.encode(written)),
      fc.constant(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)),
    )
    fc.assert(
      fc.property(chunks, fc.nat(64), fc.nat(64), (chunk, one, other) => {
        const [start, end] = [one, other].map((at) => Math.min(at, chunk.length)).sort((a, b) => a - b)
        expect(textOf(chunk, start, end)).toBe(decoder.decode(chunk.subarray(start, end)))
      }),
      { numRuns: 3_000 },
    )
  })

  it('and JSON go in as strings and come out of the middle of a chunk', () => {
    const chunk = utf8.encode('xx{"a":"\u20ac"}yy')
    expect(encoderOf(json)({ a: '\u20ac' })).toBe('{"a":"\u20ac"}')
    expect(encoderOf(json<{ a: string }>())({ a: 'b' })).toBe('{"a":"b"}')
    expect(decoderOf(json)(chunk, 2, chunk.length - 2)).toEqual({ a: '\u20ac' })
    expect(encoderOf(text)('\ud800')).toBe('\ud800')
    expect(decoderOf(text)(chunk, 0, 2)).toBe('xx')
  })

  it.each([
    ['text', () => encoderOf(text)(5 as unknown as string)],
    ['json', () => encoderOf(json)(undefined)],
    ['json in a group', () => lastingEncoderOf(json)(() => {})],
    ['bytes', () => encoderOf(bytes)('text' as unknown as Uint8Array)],
    ['a codec that encodes to text', () => encoderOf({ ...text, encode: () => 'text' as unknown as Uint8Array })('')],
  ])('and what is none is a TypeError: %s', (_, encode) => {
    expect(encode).toThrow(TypeError)
  })
})

describe('a codec that encodes into memory it is given', () => {
  it('writes there, and is asked for bytes of its own only where they do not fit', () => {
    const codec = codecWith(writeInto)
    const encode = encoderOf(codec)
    expect(textOf(encode('short') as Uint8Array, 0, 5)).toBe('short')
    expect(encode('')).toHaveLength(0)
    expect(codec.encode).not.toHaveBeenCalled()
    const long = 'x'.repeat(1 << 20)
    expect(encode(long)).toHaveLength(1 << 20)
    expect(codec.encode).toHaveBeenCalledTimes(1)
  })

  it('finds room for 4 KiB at least', () => {
    let room = 0
    encoderOf(
      codecWith((_, target) => {
        room = target.length
        return 0
      }),
    )('')
    expect(room).toBeGreaterThanOrEqual(4_096)
  })

  it.each([[-2], [1.5], [Number.NaN], [Number.POSITIVE_INFINITY], [1e9], [undefined], ['5'], [5n]])(
    'and says %s for its length is told so',
    (length) => {
      const encode = encoderOf(codecWith(() => length as number))
      expect(() => encode('x')).toThrow(/encodeInto of the codec returns how many bytes/)
      expect(() => encode('x')).toThrow(TypeError)
    },
  )

  it('and throws in the middle leaves the next one a target of its own', () => {
    const failing = encoderOf(
      codecWith((_, target) => {
        target.fill(0xff)
        throw new RangeError('in the middle')
      }),
    )
    expect(() => failing('x')).toThrow('in the middle')
    const codec = codecWith(writeInto)
    expect(Buffer.from(encoderOf(codec)('after') as Uint8Array).toString()).toBe('after')
    expect(codec.encode).not.toHaveBeenCalled()
  })

  it('and encodes something else meanwhile gets what it wrote', () => {
    const inner = codecWith(writeInto)
    const outer = encoderOf(
      codecWith((value, target) => {
        const written = writeInto(value, target)
        expect(Buffer.from(encoderOf(inner)('something else') as Uint8Array).toString()).toBe('something else')
        return written
      }),
    )
    expect(Buffer.from(outer('mine') as Uint8Array).toString()).toBe('mine')
    expect(inner.encode).toHaveBeenCalledTimes(1)
  })

  it('and moves its target to another thread takes nobody else’s', () => {
    const thief = encoderOf(
      codecWith((_, target) => {
        structuredClone(target, { transfer: [target.buffer as ArrayBuffer] })
        return 1
      }),
    )
    expect(() => thief('x')).toThrow(TypeError)
    expect(Buffer.from(encoderOf(codecWith(writeInto))('after') as Uint8Array).toString()).toBe('after')
  })

  it('is asked for bytes of its own where several values are wanted at once', () => {
    const codec = codecWith(writeInto)
    const encode = lastingEncoderOf(codec)
    expect([encode('a'), encode('b')].map((each) => Buffer.from(each as Uint8Array).toString())).toEqual(['a', 'b'])
    expect(codec.encode).toHaveBeenCalledTimes(2)
  })
})
