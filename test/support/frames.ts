/** Runs of record frames for tests, made by the encoder that the dispatcher uses. */

import type { Extras } from '../../src/engine/terms.js'
import {
  declarePayloadLength,
  payloadLength,
  writeDataFrame,
  writeDeclareFrame,
  writeExpectedOffset,
} from '../../src/format/frame-encoder.js'
import { frameBytes, frameFlag } from '../../src/format/frame-layout.js'
import type { FrameRun } from '../../src/storage/append/batch-cutter.js'

export type TestFrame =
  | { declare: string; topic: number; first?: number; flags?: number }
  | { topic: number; value: Uint8Array; extras?: Extras; flags?: number; expectedOffset?: number | undefined }

export function sizeOf(frame: TestFrame): number {
  const length = 'declare' in frame ? declarePayloadLength(frame.declare) : payloadLength(frame.value, frame.extras)
  return frameBytes(length)
}

export function putFrame(bytes: Uint8Array, words: Uint32Array, at: number, frame: TestFrame): number {
  const flags = frame.flags ?? 0
  if ('declare' in frame) writeDeclareFrame(bytes, words, at, frame.topic, frame.declare, frame.first ?? 0, flags)
  else {
    const { topic, value, extras, expectedOffset } = frame
    const named = extras?.plainId === undefined ? 0 : frameFlag.named
    const expects = expectedOffset === undefined ? 0 : frameFlag.expects
    writeDataFrame(bytes, words, at, topic, value, extras, flags | named | expects)
    if (expectedOffset !== undefined) writeExpectedOffset(words, at, expectedOffset)
  }
  return at + sizeOf(frame)
}

export function runOf(frames: readonly TestFrame[]): FrameRun {
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + sizeOf(frame), 0))
  const words = new Uint32Array(bytes.buffer)
  let at = 0
  for (const frame of frames) at = putFrame(bytes, words, at, frame)
  return { bytes, words }
}

/** The frames of one atomic group. */
export function groupOf(topic: number, values: readonly Uint8Array[], flags = 0): TestFrame[] {
  return values.map((value, index) => ({
    topic,
    value,
    flags: flags | (index < values.length - 1 ? frameFlag.continues : 0),
  }))
}

/** Bytes that say by themselves which record of which topic they are, and that differ from one `life` to the next. */
export function payloadOf(topic: number, offset: number, byteLength: number, life = 0): Uint8Array {
  const bytes = new Uint8Array(byteLength)
  let mixed = (topic * 0x9e3779b1) ^ (offset * 0x85ebca6b) ^ ((life + 1) * 0xc2b2ae35)
  for (let at = 0; at < byteLength; at++) {
    mixed = (Math.imul(mixed, 1103515245) + 12345) | 0
    bytes[at] = mixed >>> 16
  }
  return bytes
}
