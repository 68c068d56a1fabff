import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FrameMemory, payloadLength, payloadRoom, writeFrame } from '../../src/format/frame-encoder.js'
import { frameBytes, frameWord } from '../../src/format/frame-layout.js'

/** Any string there can be, halves of surrogate pairs by themselves included. */
const strings = fc
  .array(fc.oneof(fc.nat(0x7f), fc.nat(0xffff), fc.integer({ min: 0xd800, max: 0xdfff })), { maxLength: 60 })
  .map((units) => String.fromCharCode(...units))

const extras = fc.option(
  fc.record({
    key: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
    headers: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
  }),
  { nil: undefined },
)

/** Memory that was used before. */
function usedMemory(byteLength: number): FrameMemory {
  const bytes = new Uint8Array(new SharedArrayBuffer(byteLength)).fill(0xee)
  return { bytes, words: new Uint32Array(bytes.buffer), text: Buffer.from(bytes.buffer) }
}

describe('a value that is a string', () => {
  it('makes the frame that its UTF-8 makes, at the very end of the memory too, and touches nothing else', () => {
    fc.assert(
      fc.property(strings, extras, fc.nat(40), (text, more, before) => {
        const value = new TextEncoder().encode(text)
        const at = before * 8
        const room = frameBytes(payloadRoom(text, more))
        const exact = frameBytes(payloadLength(value, more))
        expect(room).toBeGreaterThanOrEqual(exact)
        const ofText = usedMemory(at + room)
        const ofBytes = usedMemory(at + room)
        expect(writeFrame(ofText, at, 7, text, more, 2)).toBe(exact)
        expect(writeFrame(ofBytes, at, 7, value, more, 2)).toBe(exact)
        // The offset is the writer's to stamp.
        for (const { words } of [ofText, ofBytes]) words[(at >>> 2) + frameWord.offsetLow] = 0
        expect(ofText.bytes.slice(0, at + exact)).toEqual(ofBytes.bytes.slice(0, at + exact))
      }),
      { numRuns: 2_000 },
    )
  })

  it('needs the room that it says where each character takes three bytes', () => {
    const text = '\u20ac'.repeat(100)
    const memory = usedMemory(frameBytes(payloadRoom(text, undefined)))
    expect(writeFrame(memory, 0, 1, text, undefined, 0)).toBe(memory.bytes.length)
    expect(memory.text.toString('utf8', 16, 316)).toBe(text)
  })

  it('that is empty fits where only a header does', () => {
    const memory = usedMemory(32)
    expect(writeFrame(memory, 16, 1, '', undefined, 0)).toBe(16)
    expect(memory.words[4]).toBe(0)
  })
})
