import zlib from 'node:zlib'
import { expect, it } from 'vitest'
import { packedCodec } from '../../../src/format/packed-layout.js'
import { bestCodec, codecOf } from '../../../src/storage/packed/codecs.js'
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

it('is not there where the streams of zlib have no such handle, or another one', () => {
  const { Z_FINISH } = zlib.constants
  const pack = (bytes: Uint8Array) => zlib.deflateRawSync(bytes)
  expect(keptUnpacker(() => ({ destroyed: false, on() {} }), Z_FINISH, pack)).toBeUndefined()
  expect(keptUnpacker(() => zlib.createInflate(), Z_FINISH, pack)).toBeUndefined()
  expect(keptUnpacker(() => zlib.createInflateRaw(), Z_FINISH, pack)).toBeDefined()
})
