/** Blocks written and read back without a log around them: whatever the bytes are, at every place. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frontTableAt, tableBytes } from '../../../src/format/packed-layout.js'
import { BlockWriter, NoRoom } from '../../../src/storage/packed/block-writer.js'
import { type BlockCodecName, bestCodec } from '../../../src/storage/packed/codecs.js'
import { BadBlock } from '../../../src/storage/packed/packed-blocks.js'
import { badTableOf, packedParts } from '../../../src/storage/packed/packed-table.js'
import { unpackedFile } from '../../../src/storage/packed/unpacked.js'
import { base, blockBytes, fileOf, lostBlocks, packedFile as packed, segmentBytes } from '../../support/packed-file.js'
import { Seeded } from '../../support/seeded.js'

const codecs = [...new Set<BlockCodecName>(['deflate', bestCodec()])]

const seeds = fc.nat(1 << 30)

describe.each(codecs)('packed with %s', (codec) => {
  it('every byte is where it was, and only the blocks take room', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { file, model, random, size, directoryAt } = packed(seed, codec)
        const whole = unpackedFile(file, base, segmentBytes)
        expect(Buffer.compare(whole.read(0, segmentBytes), model)).toBe(0)
        for (let turn = 0; turn < 10; turn++) {
          const at = random.pick([0, 63, 64, blockBytes - 1, blockBytes, directoryAt - 1, random.below(segmentBytes)])
          const length = random.below(2 * blockBytes)
          const found = whole.read(at, length)
          expect(Buffer.compare(found, model.subarray(at, at + length))).toBe(0)
        }
        expect(packedParts(file, base, segmentBytes)).toEqual([
          { from: 0, to: size },
          { from: directoryAt, to: segmentBytes },
        ])
        expect(Buffer.compare(file.read(size, directoryAt - size), new Uint8Array(directoryAt - size))).toBe(0)
      }),
      { numRuns: 25 },
    )
  })

  it('a wrong bit anywhere costs the bytes of its block, which are reported, and no others', () => {
    fc.assert(
      fc.property(seeds, fc.nat(), (seed, place) => {
        const sample = packed(seed, codec)
        const { file, tableAt, size } = sample
        const at = place % size
        file.bytes[at] ^= 1 << (place & 7)
        const lost = lostBlocks(sample)
        const isInBlock = at >= frontTableAt + tableBytes(segmentBytes / blockBytes) && at < tableAt
        expect(lost).toBeLessThanOrEqual(isInBlock ? 1 : 0)
        const table = badTableOf(file, base, segmentBytes)
        if (lost === 0 && at >= 64) expect(table !== undefined || file.bytes[at] === 1 << (place & 7)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })
})

it('header or footer alone says that it is packed; without either table nothing is made up', () => {
  const { file, model, directoryAt, tableAt } = packed(1, 'deflate')
  const whole = file.bytes.slice()
  const isWhole = () =>
    Buffer.compare(unpackedFile(file, base, segmentBytes).read(64, 300_000), model.subarray(64, 300_064)) === 0
  const restore = () => file.bytes.set(whole)
  file.bytes.fill(0, 0, frontTableAt + tableBytes(segmentBytes / blockBytes))
  expect(isWhole()).toBe(true)
  restore()
  file.bytes.fill(0, segmentBytes - 512)
  expect(isWhole()).toBe(true)
  restore()
  file.bytes[frontTableAt + 9] ^= 1
  expect(isWhole()).toBe(true)
  expect(badTableOf(file, base, segmentBytes)?.at).toBe(frontTableAt)
  file.bytes[tableAt + 9] ^= 1
  const lost = unpackedFile(file, base, segmentBytes)
  expect(() => lost.read(64, 1)).toThrow(BadBlock)
  expect(() => lost.read(directoryAt - 1, 10)).toThrow(BadBlock)
  expect(lost.read(0, 64)).toEqual(whole.slice(0, 64))
  expect(lost.read(directoryAt, segmentBytes - directoryAt)).toEqual(whole.slice(directoryAt))
})

it('what would be longer than before is not packed', () => {
  const writer = new BlockWriter(fileOf(new Uint8Array(segmentBytes)), base, segmentBytes, 'deflate')
  const random = new Seeded(1)
  const noise = new Uint8Array(segmentBytes - 200).map(() => random.below(256))
  expect(() => {
    writer.write(64, noise)
    writer.finish(segmentBytes - 100)
  }).toThrow(NoRoom)
})
