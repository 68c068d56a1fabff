/**
 * The bell file: how far the owner of a log has published, for followers in other processes.
 *
 * ```
 *   0 crc u32 (bytes 4..64), sequence u32, epoch u32, 4 zeros, published u64, trim u64, logMark (8 bytes), zeros
 * ```
 *
 * One write of 64 bytes, over the one before. Whoever meets it in the middle of a write meets a wrong checksum, and looks again. It is
 * a hint: it is believed only of an owner that is at work, and nothing is lost with it.
 */
import { crc32 } from 'node:zlib'
import { logMarkBytes, putHex, takeHex } from './log-id.js'
import { putNumber, takeNumber } from './numbers.js'

export const bellBytes = 64
const logMarkAt = 32

/** Of a bell that was silenced: no owner has it. */
export const noEpoch = 0

export interface BellRecord {
  /** Another one with each write; never 0. */
  sequence: number
  /** Of the owner that rings it; {@link noEpoch}: nobody does. */
  epoch: number
  /** Log position up to which everything may be read. */
  published: number
  /** Files below this position are gone, or go now. */
  trim: number
}

/** It wraps, to 1: 0 stands for "never rung". */
export function nextBellSequence(sequence: number): number {
  return (sequence + 1) >>> 0 || 1
}

/** Writes a bell into `bytes`, which holds {@link bellBytes} and nothing else than a bell. */
export function putBell(bytes: Uint8Array, view: DataView, bell: BellRecord): void {
  view.setUint32(4, bell.sequence, true)
  view.setUint32(8, bell.epoch, true)
  putNumber(view, 16, bell.published)
  putNumber(view, 24, bell.trim)
  view.setUint32(0, crc32(bytes.subarray(4)), true)
}

/** A buffer for {@link putBell}. @param logMark of the log: see format/log-id.ts */
export function newBell(logMark: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bellBytes)
  putHex(bytes, logMarkAt, logMark)
  return bytes
}

/** @returns undefined for what is no bell of that log: damaged, torn, never rung, or another log's */
export function decodeBell(bytes: Uint8Array, logMark: string): BellRecord | undefined {
  if (bytes.length < bellBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bellBytes)
  const sequence = view.getUint32(4, true)
  if (sequence === 0 || view.getUint32(0, true) !== crc32(bytes.subarray(4, bellBytes))) return undefined
  if (takeHex(bytes, logMarkAt, logMarkBytes) !== logMark) return undefined
  const published = takeNumber(view, 16)
  const trim = takeNumber(view, 24)
  if (!(trim <= published)) return undefined
  return { sequence, epoch: view.getUint32(8, true), published, trim }
}
