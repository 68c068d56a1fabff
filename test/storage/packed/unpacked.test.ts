/** Blocks written and read back without a log around them: whatever the bytes are, at every place. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { segmentFeature } from '../../../src/format/features.js'
import { frontTableAt, tableBytes } from '../../../src/format/packed-layout.js'
import { encodeFooter, encodeSegmentHeader, footerBytes, formatVersion } from '../../../src/format/segment-layout.js'
import { BlockWriter, NoRoom } from '../../../src/storage/packed/block-writer.js'
import { type BlockCodecName, bestCodec } from '../../../src/storage/packed/codecs.js'
import { BadBlock } from '../../../src/storage/packed/packed-blocks.js'
import { badTableOf, packedParts, unpackedFile } from '../../../src/storage/packed/unpacked.js'
import { Seeded } from '../../support/seeded.js'

const segmentBytes = 1 << 19
const base = 3 * segmentBytes
const blockBytes = 1 << 16
const codecs = [...new Set<BlockCodecName>(['deflate', bestCodec()])]

/** A file in memory. */
function fileOf(bytes: Uint8Array<ArrayBuffer>) {
  return {
    bytes,
    read: (at: number, length: number) => bytes.slice(at, at + length),
    write: (at: number, piece: Uint8Array) => bytes.set(piece, at),
    size: () => bytes.length,
    writtenEnd: () => bytes.length,
    close() {},
  }
}

/** Pieces of noise, of text and of nothing, up to where a directory would begin. */
function packed(seed: number, codec: BlockCodecName) {
  const random = new Seeded(seed)
  const file = fileOf(new Uint8Array(segmentBytes))
  const directoryAt = segmentBytes - footerBytes - 8 * random.below(20)
  const model = new Uint8Array(segmentBytes)
  const writer = new BlockWriter(file, base, segmentBytes, codec)
  for (let at = 64; at < directoryAt; ) {
    const length = Math.min(directoryAt - at, random.pick([1, 8, 5_000, blockBytes - 64, blockBytes, 3 * blockBytes]))
    const kind = random.below(4)
    const piece = model.subarray(at, at + length)
    if (kind === 0) for (let byte = 0; byte < Math.min(length, 30_000); byte++) piece[byte] = random.below(256)
    if (kind === 1) piece.set(new Uint8Array(length).map((_, index) => 97 + ((index * 7) % 23)))
    if (kind !== 2) writer.write(at, piece)
    at += length
    // What is not finished is read as well.
    if (random.chance(0.2)) expectSame(writer, model, random, Math.min(at, writer.end))
  }
  const packing = writer.finish(directoryAt)
  model.fill(9, directoryAt)
  const seal = { records: 0, topics: 0, directoryCrc: 0, entriesCrc: 0, firstTime: 0, lastTime: 0 }
  const footer = { base, dataEnd: 64, entriesAt: directoryAt, directoryAt, ...seal, tableAt: packing.tableAt }
  const place = { version: formatVersion, segmentBytes, base, epoch: 1, created: 1, generation: 1 }
  const header = { ...place, features: segmentFeature.packed, packing, logMark: '0a'.repeat(8) }
  file.bytes.fill(9, directoryAt)
  for (const bytes of [model, file.bytes]) {
    bytes.set(encodeSegmentHeader(header), 0)
    bytes.set(encodeFooter(footer), segmentBytes - footerBytes)
  }
  return { file, model, directoryAt, tableAt: packing.tableAt, random, size: writer.packedBytes }
}

function expectSame(
  source: { readInto(target: Uint8Array, at: number, from: number, length: number): number },
  model: Uint8Array,
  random: Seeded,
  end: number,
): void {
  const from = 64 + random.below(end - 63)
  const length = Math.min(end - from, random.below(3 * blockBytes))
  const bytes = new Uint8Array(length)
  expect(source.readInto(bytes, 0, from, length)).toBe(length)
  expect(Buffer.compare(bytes, model.subarray(from, from + length))).toBe(0)
}

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
        const { file, model, directoryAt, tableAt, size } = packed(seed, codec)
        const at = place % size
        file.bytes[at] ^= 1 << (place & 7)
        const damaged = unpackedFile(file, base, segmentBytes)
        const lost: number[] = []
        for (let start = 64; start < directoryAt; start = (Math.floor(start / blockBytes) + 1) * blockBytes) {
          const end = Math.min(directoryAt, (Math.floor(start / blockBytes) + 1) * blockBytes)
          try {
            expect(Buffer.compare(damaged.read(start, end - start), model.subarray(start, end))).toBe(0)
          } catch (error) {
            expect(error).toBeInstanceOf(BadBlock)
            lost.push(start)
          }
        }
        const isInBlock = at >= frontTableAt + tableBytes(segmentBytes / blockBytes) && at < tableAt
        expect(lost.length).toBeLessThanOrEqual(isInBlock ? 1 : 0)
        const table = badTableOf(file, base, segmentBytes)
        if (lost.length === 0 && at >= 64) expect(table !== undefined || file.bytes[at] === 1 << (place & 7)).toBe(true)
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
