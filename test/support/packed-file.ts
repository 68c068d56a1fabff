/** A file whose blocks are packed as those of a segment are, without a log around it, and the bytes that it holds. */
import assert from 'node:assert/strict'
import { segmentFeature } from '../../src/format/features.js'
import { encodeFooter, encodeSegmentHeader, footerBytes, formatVersion } from '../../src/format/segment-layout.js'
import { BlockWriter } from '../../src/storage/packed/block-writer.js'
import type { BlockCodecName } from '../../src/storage/packed/codecs.js'
import { BadBlock } from '../../src/storage/packed/packed-blocks.js'
import { unpackedFile } from '../../src/storage/packed/unpacked.js'
import { Seeded } from './seeded.js'

export const segmentBytes = 1 << 19
export const base = 3 * segmentBytes
export const blockBytes = 1 << 16

/** A file in memory. */
export function fileOf(bytes: Uint8Array<ArrayBuffer>) {
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
export function packedFile(seed: number, codec: BlockCodecName) {
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
  assert.equal(source.readInto(bytes, 0, from, length), length)
  assert.equal(Buffer.compare(bytes, model.subarray(from, from + length)), 0)
}

/** Reads every block by itself. Returns how many of them are reported as damaged; throws where one comes with other bytes. */
export function lostBlocks({ file, model, directoryAt }: ReturnType<typeof packedFile>): number {
  const damaged = unpackedFile(file, base, segmentBytes)
  let lost = 0
  for (let start = 64, end = blockBytes; start < directoryAt; start = end, end += blockBytes) {
    const length = Math.min(directoryAt, end) - start
    try {
      const isSame = Buffer.compare(damaged.read(start, length), model.subarray(start, start + length)) === 0
      assert(isSame, `other bytes at ${start}`)
    } catch (error) {
      if (!(error instanceof BadBlock)) throw error
      lost += 1
    }
  }
  return lost
}
