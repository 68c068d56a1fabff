/** How the values of one topic go in and come out, chosen once for its codec. */
import type { Payload } from '../engine/terms.js'
import { type Codec, type CodecName, checkedText, codecName, jsonText } from './codec.js'
import { textOf } from './utf8.js'

/** The value of `bytes[start..end)`. */
export type Decode<T> = (bytes: Uint8Array, start: number, end: number) => T

/** Room for a value of {@link Codec.encodeInto}. */
const scratchBytes = 64 * 1024

/** One for all topics of a thread: what is in it is used up before anything else is encoded. */
let scratch: Uint8Array | undefined
/** A codec is writing there: one that appends meanwhile is given none. */
let isScratchTaken = false

/** @returns encodes a value; the result is good until the next one is encoded */
export function encoderOf<T>(codec: Codec<T>): (value: T) => Payload {
  return codec.encodeInto === undefined ? lastingEncoderOf(codec) : (value) => encodeOver(codec, value)
}

/** The same, with results that are not written over: for several at once. Where the codec hands on what it was given, they are the caller's. */
export function lastingEncoderOf<T>(codec: Codec<T>): (value: T) => Payload {
  const { toText } = textForm<T>(codec) ?? {}
  return toText ?? ((value) => encodeApart(codec, value))
}

/** undefined: values are the bytes themselves. */
export function decoderOf<T>(codec: Pick<Codec<T>, 'decode'>): Decode<T> {
  const { fromText } = textForm<T>(codec) ?? {}
  if (fromText !== undefined) return (bytes, start, end) => fromText(textOf(bytes, start, end))
  return (bytes, start, end) => codec.decode(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start))
}

function encodeApart<T>(codec: Codec<T>, value: T): Uint8Array {
  const encoded = codec.encode(value)
  if (!(encoded instanceof Uint8Array)) throw new TypeError('the codec of the topic did not encode to a Uint8Array')
  return encoded
}

function encodeOver<T>(codec: Codec<T>, value: T): Uint8Array {
  if (isScratchTaken) return encodeApart(codec, value)
  // Whoever has transferred it elsewhere has left an empty one.
  if (scratch === undefined || scratch.length === 0) scratch = new Uint8Array(scratchBytes)
  const target = scratch
  let length: unknown
  isScratchTaken = true
  try {
    length = codec.encodeInto?.(value, target)
  } finally {
    isScratchTaken = false
  }
  if (length === -1) return encodeApart(codec, value)
  if (Number.isInteger(length) && (length as number) >= 0 && (length as number) <= target.length)
    return target.subarray(0, length as number)
  const said = typeof length === 'number' ? length : typeof length
  throw new TypeError(
    `encodeInto of the codec returns how many bytes it has written, from 0 to the length of its target, or -1 where they do not fit, not ${said}`,
  )
}

/** A codec whose bytes are the UTF-8 of a string: it is encoded where it goes, and decoded where it stands. */
interface TextForm<T> {
  toText(value: T): string
  fromText(text: string): T
}

const jsonForm: TextForm<unknown> = { toText: jsonText, fromText: (written) => JSON.parse(written) }
const plainForm: TextForm<string> = { toText: checkedText, fromText: (written) => written }

const textForms: Readonly<Record<CodecName, TextForm<unknown>>> = {
  json: jsonForm,
  text: plainForm as TextForm<unknown>,
}

function textForm<T>(codec: Pick<Codec<T>, 'decode'>): TextForm<T> | undefined {
  const name = codecName(codec)
  return name && (textForms[name] as TextForm<T>)
}
