/**
 * The batch: a 48-byte header and the frames that one CRC covers.
 *
 * ```
 *    0 magic u32        never zero, so that preallocated space never looks like a batch
 *    4 header crc u32   CRC-32 of bytes 8..48
 *    8 bytes u32        header included, a multiple of 8
 *   12 count u32        records (data frames) in it
 *   16 position u64     absolute position of this header: stale bytes elsewhere never pass for this batch
 *   24 time u64         ms since the epoch, never smaller than in the batch before
 *   32 epoch u32        which take-over of the log wrote it
 *   36 body crc u32     CRC-32 of bytes 48..bytes
 *   40 topic u32        the one topic of all its records, or `mixedTopics`
 *   44 flags u32        `continues`: the atomic group goes on in the next batch; `seal`: the segment ends here;
 *                       `gap`: stands in the place of damaged bytes that a repair has set aside, its body is zeros behind declarations;
 *                       `expiring`: it holds a frame with the flag `expires`
 * ```
 *
 * Publication rule: body, then header, then the published position; a reader never looks past the published position.
 * A batch is valid if both CRCs hold and its position is its own. It is broken if its length leaves the segment, a CRC
 * differs, or a frame leaves the batch.
 */
import { crc32 } from 'node:zlib'
import { highWord, joinWords, lowWord, takeNumber } from './numbers.js'

export const batchHeaderBytes = 48
export const batchMagic = 0x31424b42
export const mixedTopics = 0xffffffff
export const batchFlag = { continues: 1, seal: 2, gap: 4, expiring: 8 } as const

const crcStart = 8

export interface BatchHeader {
  bytes: number
  count: number
  position: number
  time: number
  epoch: number
  bodyCrc: number
  topic: number
  flags: number
}

/** Where fields stand, for code that reads single ones in place. */
export const batchField = {
  bytes: 8,
  count: 12,
  position: 16,
  time: 24,
  epoch: 32,
  bodyCrc: 36,
  topic: 40,
  flags: 44,
} as const

/**
 * Writes the header of a batch at `at`. Where its frames stand behind it already, a crash in between finds either no
 * header or a true one: the magic is stored last.
 * @param words the same memory as `target`
 * @param bytes of the whole batch, this header included
 */
export function writeBatchHeader(
  target: Uint8Array,
  words: Uint32Array,
  at: number,
  bytes: number,
  count: number,
  position: number,
  time: number,
  epoch: number,
  topic: number,
  flags: number,
  bodyCrc: number,
): void {
  const word = at >>> 2
  words[word + 2] = bytes
  words[word + 3] = count
  words[word + 4] = lowWord(position)
  words[word + 5] = highWord(position)
  words[word + 6] = lowWord(time)
  words[word + 7] = highWord(time)
  words[word + 8] = epoch
  words[word + 9] = bodyCrc
  words[word + 10] = topic
  words[word + 11] = flags
  words[word + 1] = crc32(target.subarray(at + crcStart, at + batchHeaderBytes))
  // The magic comes last: without it the rest is not a batch.
  words[word] = batchMagic
}

/**
 * Reads and checks the header at `at`, which claims to stand at `position`.
 * @returns undefined unless magic, CRC, position and a length within `limit` bytes from `at` are right.
 */
export function readBatchHeader(
  bytes: Uint8Array,
  at: number,
  position: number,
  limit: number,
): BatchHeader | undefined {
  if (limit < batchHeaderBytes || at + batchHeaderBytes > bytes.length) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, batchHeaderBytes)
  if (view.getUint32(0, true) !== batchMagic) return undefined
  if (view.getUint32(4, true) !== crc32(bytes.subarray(at + crcStart, at + batchHeaderBytes))) return undefined
  if (takeNumber(view, 16) !== position) return undefined
  const length = view.getUint32(8, true)
  if (length < batchHeaderBytes || length > limit || length % 8 !== 0) return undefined
  return {
    bytes: length,
    count: view.getUint32(12, true),
    position,
    time: takeNumber(view, 24),
    epoch: view.getUint32(32, true),
    bodyCrc: view.getUint32(36, true),
    topic: view.getUint32(40, true),
    flags: view.getUint32(44, true),
  }
}

/** True if the body of the batch at `at` is what its (already checked) header says. */
export function bodyMatches(bytes: Uint8Array, at: number, header: BatchHeader): boolean {
  if (header.bytes === batchHeaderBytes) return header.bodyCrc === 0
  return crc32(bytes.subarray(at + batchHeaderBytes, at + header.bytes)) === header.bodyCrc
}

/**
 * Rewrites the length and the count of a header in a private copy whose frames were thinned out. The CRCs of such
 * a copy are void: it has been verified before, and is never written to a log.
 */
export function shrinkBatchCopy(words: Uint32Array, at: number, bytes: number, count: number): void {
  words[(at >>> 2) + 2] = bytes
  words[(at >>> 2) + 3] = count
}

/**
 * Writes the fields of a header that readers of a verified copy look at, for a batch of one record. Like {@link shrinkBatchCopy}, never
 * for a log.
 */
export function putBatchCopy(words: Uint32Array, at: number, bytes: number, time: number, topic: number): void {
  const word = at >>> 2
  words[word] = batchMagic
  words[word + 2] = bytes
  words[word + 3] = 1
  words[word + 6] = lowWord(time)
  words[word + 7] = highWord(time)
  words[word + 10] = topic
}

/** Says of a batch of such a copy that something in it expires. */
export function markExpiring(words: Uint32Array, at: number): void {
  words[(at + batchField.flags) >>> 2] |= batchFlag.expiring
}

/** Bytes of the batch at `at` of a verified copy. */
export function batchBytes(words: Uint32Array, at: number): number {
  return words[(at + batchField.bytes) >>> 2]
}

/** Which take-over of the log wrote the batch at `at`, as far as its header is right. */
export function batchEpoch(words: Uint32Array, at: number): number {
  return words[(at + batchField.epoch) >>> 2]
}

/** Time of the batch at `at` of a verified copy. */
export function batchTime(words: Uint32Array, at: number): number {
  const word = (at + batchField.time) >>> 2
  return joinWords(words[word], words[word + 1])
}
