import zlib from 'node:zlib'
import { expect, it } from 'vitest'
import { packedCodec } from '../../../src/format/packed-layout.js'
import { zstdLength } from '../../../src/format/zstd-frame.js'
import { bestCodec, codecOf, hasCodec } from '../../../src/storage/packed/codecs.js'
import { keptUnpacker } from '../../../src/storage/packed/kept-unpacker.js'
import { Seeded } from '../../support/seeded.js'

it.each([...new Set(['deflate', bestCodec()] as const)])(
  'what was packed with %s comes back whole or not at all, whatever came before',
  (name) => {
    const { pack, unpack } = codecOf(packedCodec[name])
    const random = new Seeded(1)
    for (let turn = 0; turn < 200; turn++) {
      const bytes = new Uint8Array(1 + random.below(9_000)).map((_, index) => 97 + ((index * turn) % 11))
      const packed = pack(bytes).slice()
      expect(unpack(packed, new Uint8Array(bytes.length + random.pick([1, bytes.length])))).toBe(false)
      const cut = packed.slice(0, random.below(packed.length - 4))
      expect(unpack(cut, new Uint8Array(bytes.length))).toBe(false)
      // Of what is wrong anything may come, but nothing is thrown.
      const wrong = packed.map((byte) => (random.chance(0.1) ? random.below(256) : byte))
      unpack(wrong, new Uint8Array(bytes.length))
      const target = new Uint8Array(bytes.length)
      expect(unpack(packed, target)).toBe(true)
      expect(Buffer.compare(target, bytes)).toBe(0)
    }
  },
)

it.runIf(hasCodec(packedCodec.zstd))(
  'what a frame of zstd holds stands in its header, or it is taken for one that does not say',
  () => {
    const { pack, unpack } = codecOf(packedCodec.zstd)
    for (const length of [1, 255, 256, 257, 511, 65_535, 65_536, 65_792, 70_000, 400_000]) {
      const frame = pack(new Uint8Array(length).map((_, index) => index % 251)).slice()
      expect(zstdLength(frame)).toBe(length)
      // One that holds more than is asked for leaves nothing in front of the next.
      unpack(frame, new Uint8Array(Math.ceil(length / 2)))
      const target = new Uint8Array(length)
      expect(unpack(frame, target)).toBe(true)
      expect(target.at(-1)).toBe((length - 1) % 251)
      expect(zstdLength(frame.subarray(0, 9))).toBe(-1)
    }
  },
)

it('is not there where the streams of zlib have no such handle, or another one', () => {
  const { Z_FINISH } = zlib.constants
  const pack = (bytes: Uint8Array) => zlib.deflateRawSync(bytes)
  const unpacker = (create: () => unknown) => keptUnpacker({ create, end: Z_FINISH, pack })
  expect(unpacker(() => ({ destroyed: false, on() {} }))).toBeUndefined()
  expect(unpacker(() => zlib.createInflate())).toBeUndefined()
  expect(unpacker(() => zlib.createInflateRaw())).toBeDefined()
})
