/**
 * The control file: 4,096 bytes, what a log is and how far it had come.
 *
 * ```
 *      0 identity   magic u32, crc u32 (bytes 8..64), version u32, segmentBytes u32, created u64, compatible u32,
 *                   readOnlyCompatible u32, incompatible u32, zero u32, id (16 bytes)
 *    512 record A   crc u32 (bytes 4..128), sequence u32, epoch u32, flags u32, published u64, durable u64, trim u64,
 *   1024 record B   time u64, boot id (16 bytes)
 *   1536 spare      the identity once more, since its features changed; zeros: they never have
 * ```
 *
 * The identity is written before the file gets its name. Only its feature words change, and only by more bits: first in the place that does
 * not count (the spare, unless the identity itself is damaged), flushed, then in the other, flushed. The first valid one counts. Records A and B are written in turn, each in a sector
 * of its own; the valid one with the higher sequence counts, so a torn write leaves the other. `published` is a hint for
 * other processes, `durable` a lower bound (it may lag after a power cut), `trim` is flushed before any file goes.
 */
import { crc32 } from 'node:zlib'
import type { Features } from './features.js'
import { logIdBytes, putHex, takeHex } from './log-id.js'
import { putNumber, takeNumber } from './numbers.js'

export const controlBytes = 4096
export const controlRecordBytes = 128
export const controlRecordAt = [512, 1024] as const
export const controlIdentityBytes = 64
export const controlIdentityAt = [0, 1536] as const
export const controlFlag = { clean: 1 } as const

const magic = 0x31434b42
const featuresAt = 24
const idAt = 40

export interface ControlIdentity {
  version: number
  segmentBytes: number
  created: number
  features: Features
  /** See format/log-id.ts. */
  id: string
}

export interface ControlRecord {
  sequence: number
  epoch: number
  isClean: boolean
  published: number
  durable: number
  trim: number
  time: number
  /** The kernel's boot id (32 hex digits): tells whether the page cache can have survived. */
  bootId: string
}

export function encodeControlIdentity(identity: ControlIdentity): Uint8Array {
  const bytes = new Uint8Array(controlIdentityBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(8, identity.version, true)
  view.setUint32(12, identity.segmentBytes, true)
  putNumber(view, 16, identity.created)
  view.setUint32(featuresAt, identity.features.compatible, true)
  view.setUint32(featuresAt + 4, identity.features.readOnlyCompatible, true)
  view.setUint32(featuresAt + 8, identity.features.incompatible, true)
  putHex(bytes, idAt, identity.id)
  view.setUint32(4, crc32(bytes.subarray(8)), true)
  view.setUint32(0, magic, true)
  return bytes
}

/** The identity that counts, of a whole control file. */
export function decodeControlIdentity(bytes: Uint8Array): ControlIdentity | undefined {
  for (const place of controlIdentityAt.keys()) {
    const identity = decodeIdentityAt(bytes, place)
    if (identity !== undefined) return identity
  }
  return undefined
}

/** @param place subscript of {@link controlIdentityAt} */
export function decodeIdentityAt(bytes: Uint8Array, place: number): ControlIdentity | undefined {
  if (bytes.length < controlBytes) return undefined
  const at = controlIdentityAt[place]
  const part = bytes.subarray(at, at + controlIdentityBytes)
  const view = new DataView(part.buffer, part.byteOffset, part.length)
  if (view.getUint32(0, true) !== magic) return undefined
  if (view.getUint32(4, true) !== crc32(part.subarray(8))) return undefined
  return {
    version: view.getUint32(8, true),
    segmentBytes: view.getUint32(12, true),
    created: takeNumber(view, 16),
    features: {
      compatible: view.getUint32(featuresAt, true),
      readOnlyCompatible: view.getUint32(featuresAt + 4, true),
      incompatible: view.getUint32(featuresAt + 8, true),
    },
    id: takeHex(part, idAt, logIdBytes),
  }
}

export function encodeControlRecord(record: ControlRecord): Uint8Array {
  const bytes = new Uint8Array(controlRecordBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(4, record.sequence, true)
  view.setUint32(8, record.epoch, true)
  view.setUint32(12, record.isClean ? controlFlag.clean : 0, true)
  putNumber(view, 16, record.published)
  putNumber(view, 24, record.durable)
  putNumber(view, 32, record.trim)
  putNumber(view, 40, record.time)
  bytes.set(Buffer.from(record.bootId, 'hex').subarray(0, 16), 48)
  view.setUint32(0, crc32(bytes.subarray(4)), true)
  return bytes
}

/** A whole control file. @param record that of a log whose own file was damaged; a new one has none yet */
export function encodeControlFile(identity: ControlIdentity, record?: ControlRecord): Uint8Array {
  const bytes = new Uint8Array(controlBytes)
  bytes.set(encodeControlIdentity(identity), controlIdentityAt[0])
  if (record !== undefined)
    bytes.set(encodeControlRecord(record), controlRecordAt[record.sequence % controlRecordAt.length])
  return bytes
}

/** The newest valid record of a control file, or undefined where both are damaged or never written. */
export function decodeControlRecord(bytes: Uint8Array): ControlRecord | undefined {
  let newest: ControlRecord | undefined
  for (const at of controlRecordAt) {
    const part = bytes.subarray(at, at + controlRecordBytes)
    if (part.length < controlRecordBytes) continue
    const view = new DataView(part.buffer, part.byteOffset, part.length)
    const sequence = view.getUint32(4, true)
    if (sequence === 0 || view.getUint32(0, true) !== crc32(part.subarray(4))) continue
    // The sequence wraps; only its direction counts.
    if (newest !== undefined && ((newest.sequence - sequence) | 0) > 0) continue
    newest = {
      sequence,
      epoch: view.getUint32(8, true),
      isClean: (view.getUint32(12, true) & controlFlag.clean) !== 0,
      published: takeNumber(view, 16),
      durable: takeNumber(view, 24),
      trim: takeNumber(view, 32),
      time: takeNumber(view, 40),
      bootId: Buffer.from(part.subarray(48, 64)).toString('hex'),
    }
  }
  return newest
}
