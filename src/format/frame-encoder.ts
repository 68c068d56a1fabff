/** Writing record frames: the bytes in the ring are the bytes in the log. */
import type { Extras, Payload } from '../engine/terms.js'
import {
  declareFixedBytes,
  frameBytes,
  frameExtensionBytes,
  frameFlag,
  frameHeaderBytes,
  frameKind,
  frameWord,
  noKey,
  tailWord,
} from './frame-layout.js'
import { extrasLength, headersLength, writeIdHeader } from './id-header.js'
import { highWord, lowWord } from './numbers.js'

// Copies of this module's own: the compiler folds them in the loops below, imported objects it would look up each time.
const { length: lengthWord, topic: topicWord, offsetLow: offsetLowWord, tail: tailWordAt } = frameWord
const { data: dataKind, declare: declareKind, bulk: bulkKind, padding: paddingKind } = frameKind
const { extended: extendedFlag, expires: expiresFlag } = frameFlag

/** Payload length of a frame: what its length field will say. */
export function payloadLength(value: Uint8Array, extras: Extras | undefined): number {
  if (extras === undefined) return value.length
  return extrasBytes(extras) + value.length
}

/** A UTF-16 unit comes to so many bytes of UTF-8 at most. */
const utf8BytesPerUnit = 3

/** The same where the value may be a string: then the most that it can come to. */
export function payloadRoom(value: Payload, extras: Extras | undefined): number {
  const length = typeof value === 'string' ? value.length * utf8BytesPerUnit : value.length
  if (extras === undefined) return length
  return extrasBytes(extras) + length
}

function extrasBytes(extras: Extras): number {
  return frameExtensionBytes + extrasLength(extras)
}

/** Clears the last 8 bytes of a frame before it is filled, so that its padding is zero. */
function clearPadding(words: Uint32Array, at: number, length: number): void {
  const end = (at + frameBytes(length)) >>> 2
  words[end - 1] = 0
  words[end - 2] = 0
}

/** Where frames are written: the same memory three times. */
export interface FrameMemory {
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  readonly text: Buffer
}

/** Writes a data frame at `at`, where there is {@link payloadRoom} for it. Its offset is the writer's to stamp. Returns its bytes. */
export function writeFrame(
  memory: FrameMemory,
  at: number,
  topic: number,
  value: Payload,
  extras: Extras | undefined,
  flags: number,
): number {
  return typeof value === 'string'
    ? writeTextFrame(memory, at, topic, value, extras, flags)
    : writeDataFrame(memory.bytes, memory.words, at, topic, value, extras, flags)
}

/**
 * The common case, short enough for the compiler to copy it to where it is called: bytes, without key and headers.
 * @param size of the frame, see {@link frameBytes}
 */
export function writePlainFrame(
  { bytes, words }: Pick<FrameMemory, 'bytes' | 'words'>,
  at: number,
  size: number,
  topic: number,
  value: Uint8Array,
  flags: number,
): void {
  const word = at >>> 2
  const end = (at + size) >>> 2
  // Before the value: its padding is zero.
  words[end - 1] = 0
  words[end - 2] = 0
  words[word + lengthWord] = value.length
  words[word + topicWord] = topic
  words[word + tailWordAt] = tailWord(0, dataKind, flags)
  bytes.set(value, at + frameHeaderBytes)
}

/** The same for bytes. */
export function writeDataFrame(
  bytes: Uint8Array,
  words: Uint32Array,
  at: number,
  topic: number,
  value: Uint8Array,
  extras: Extras | undefined,
  flags: number,
): number {
  if (extras === undefined) {
    const size = frameBytes(value.length)
    writePlainFrame({ bytes, words }, at, size, topic, value, flags)
    return size
  }
  const word = at >>> 2
  const length = payloadLength(value, extras)
  clearPadding(words, at, length)
  words[word + lengthWord] = length
  words[word + topicWord] = topic
  words[word + tailWordAt] = tailWord(0, dataKind, flags | extrasFlags(extras))
  bytes.set(value, writeExtras(bytes, words, at + frameHeaderBytes, extras))
  return frameBytes(length)
}

/** The same for a string, encoded where it stands: its length is known afterwards. */
function writeTextFrame(
  { bytes, words, text }: FrameMemory,
  at: number,
  topic: number,
  value: string,
  extras: Extras | undefined,
  flags: number,
): number {
  const payload = at + frameHeaderBytes
  const start = extras === undefined ? payload : writeExtras(bytes, words, payload, extras)
  const length = start + text.write(value, start, 'utf8') - payload
  const end = at + frameBytes(length)
  for (let next = payload + length; next < end; next++) bytes[next] = 0
  const word = at >>> 2
  words[word + lengthWord] = length
  words[word + topicWord] = topic
  words[word + tailWordAt] = tailWord(0, dataKind, extras === undefined ? flags : flags | extrasFlags(extras))
  return end - at
}

function extrasFlags({ expiresAt }: Extras): number {
  return expiresAt === undefined ? extendedFlag : extendedFlag | expiresFlag
}

/** Writes key and headers; returns where the value goes. */
function writeExtras(bytes: Uint8Array, words: Uint32Array, extension: number, extras: Extras): number {
  const { key, plainId } = extras
  words[extension >>> 2] = key === undefined ? noKey : key.length
  words[(extension >>> 2) + 1] = headersLength(extras)
  let next = extension + frameExtensionBytes
  if (key !== undefined) {
    bytes.set(key, next)
    next += key.length
  }
  if (plainId !== undefined) return writeIdHeader(bytes, next, plainId)
  const { headers } = extras
  if (headers !== undefined) {
    bytes.set(headers, next)
    next += headers.length
  }
  return next
}

/** Of a frame that was just written: its offset is the one that it is to get. */
export function writeExpectedOffset(words: Uint32Array, at: number, offset: number): void {
  const word = at >>> 2
  words[word + offsetLowWord] = lowWord(offset)
  words[word + tailWordAt] |= highWord(offset) & 0xffff
}

export function declarePayloadLength(name: string): number {
  return declareFixedBytes + name.length
}

/**
 * Writes a frame that names a topic and says from where it may be read.
 * @param next where the topic goes on; in the ring it is the writer's to stamp
 */
export function writeDeclareFrame(
  bytes: Uint8Array,
  words: Uint32Array,
  at: number,
  topic: number,
  name: string,
  first: number,
  flags: number,
  next = 0,
): void {
  const word = at >>> 2
  clearPadding(words, at, declarePayloadLength(name))
  words[word + lengthWord] = declarePayloadLength(name)
  words[word + topicWord] = topic
  words[word + offsetLowWord] = lowWord(next)
  words[word + tailWordAt] = tailWord(highWord(next), declareKind, flags)
  words[word + 4] = lowWord(first)
  words[word + 5] = highWord(first)
  const nameAt = at + frameHeaderBytes + declareFixedBytes
  for (let index = 0; index < name.length; index++) bytes[nameAt + index] = name.charCodeAt(index)
}

/** A declaration by itself. */
export function encodeDeclareFrame(topic: number, next: number, readable: number, name: string): Uint8Array {
  const bytes = new Uint8Array(frameBytes(declarePayloadLength(name)))
  writeDeclareFrame(bytes, new Uint32Array(bytes.buffer), 0, topic, name, readable, 0, next)
  return bytes
}

/** Writes a frame that holds nothing; what its payload would be is not touched. */
export function writePaddingFrame(words: Uint32Array, at: number, length: number): void {
  const word = at >>> 2
  words[word + lengthWord] = length
  words[word + tailWordAt] = tailWord(0, paddingKind, 0)
}

/** Writes the placeholder of frames that travel by transfer. */
export function writeBulkFrame(words: Uint32Array, at: number, id: number, byteLength: number, flags: number): void {
  const word = at >>> 2
  words[word + lengthWord] = 8
  words[word + topicWord] = 0
  words[word + tailWordAt] = tailWord(0, bulkKind, flags)
  words[word + 4] = id
  words[word + 5] = byteLength
}
