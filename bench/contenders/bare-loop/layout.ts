/**
 * The bytes the bare loop's two threads agree on. Deliberately a copy of the product's idea and not of its code: the
 * floor must not get slower (or faster) because the product does.
 *
 *     ring   | frame | frame | ... | padding mark | (wraps)            positions count units of 8 bytes
 *     frame  | length u32 | topic u16 | offset high u16 | offset low u32 | flags u32 | payload, padded to 8 |
 *     batch  | crc u32 | magic u32 | version u32 | bytes u32 | count u32 | unused u32 |
 *            | base position f64 | append time f64 | unused f64 | frames ... |
 *
 * A frame is there once the tail has been stored past it; a batch once `published` has.
 */

/** Size of the append ring in bytes. */
export const ringBytes = 8 * 1024 * 1024
/** Positions in the ring count units of this many bytes, so that an Int32 word lasts for 16 GiB before it wraps. */
export const unitBytes = 8
export const ringUnits = ringBytes / unitBytes
export const frameHeaderBytes = 16
export const batchHeaderBytes = 48
/** A run is cut to this many bytes of frames. */
export const maxBatchBytes = 64 * 1024
export const segmentBytes = 128 * 1024 * 1024
/** Stands where a frame's length would: the rest of the ring up to its end is empty. */
export const paddingMark = -1
export const batchMagic = 0x424c4f47

/** Int32 words of the control block, two cache lines apart, so that the threads do not steal each other's lines. */
export const controlBytes = 8 * 128
/** Written by the producer: frames before it are complete. */
export const tailWord = 0
/** Written by the worker: frames before it are in the segment, their space is free. */
export const headWord = 32
/** Written by the worker: the log position, in units, up to which batches are complete. */
export const publishedWord = 64
/** 1 while the worker sleeps on the tail. */
export const workerAsleepWord = 96
/** 1 while the producer sleeps on the head. */
export const producerAsleepWord = 128
/** 1 once the worker shall end. */
export const stopWord = 160
/** 1 once the worker has its first segment. */
export const startedWord = 192

/** Units that a frame with this many payload bytes takes. */
export function frameUnits(payloadBytes: number): number {
  return (frameHeaderBytes + payloadBytes + unitBytes - 1) >>> 3
}
