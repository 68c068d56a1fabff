/** How values become bytes and back: the codecs there are, and what one of an application looks like. */
import { textOf } from './utf8.js'

/** How the values of a topic become bytes and back. */
export interface Codec<T> {
  /** What it returns is stored. What it throws comes out of the call, and nothing was written. */
  encode(value: T): Uint8Array
  /** The value that was stored. What it throws is the cause of `BOOKEND_DECODE`. */
  decode(bytes: Uint8Array): T
  /**
   * Optional. `offer` and `append` call it instead of {@link encode}, so that a value costs no memory of its own on its way in.
   * @param target where to write, from `target[0]` on: at least 4 KiB, and the codec's only until this returns. What it holds before is
   *   left over from others, and means nothing
   * @returns how many bytes were written, from 0 to `target.length`; -1: the value needs more, and `encode` is asked for it. With
   *   anything else it returns, or with what it throws, the append fails and nothing was written
   */
  encodeInto?(value: T, target: Uint8Array): number
}

const encoder = new TextEncoder()

/** Codecs that every thread has: a handler module gets its messages decoded by them. */
export type CodecName = 'json' | 'text'

const brand = Symbol.for('bookend.codec')

/** One of ours is known by its name, also in another copy of the package. Not enumerable: a codec that is made of one with `...` is the application's own. */
function branded<C extends object>(name: CodecName, codec: C): C {
  return Object.defineProperty(codec, brand, { value: name })
}

/** The codec `json`; called with a type, the same codec for values of that type: `json<Order>()`. */
export interface JsonCodec extends Codec<unknown> {
  /** The same codec, for values of that type. */
  <T>(): Codec<T>
}

/**
 * Any JSON value, as UTF-8 text. `undefined` and functions are a TypeError: JSON cannot say them. Nobody checks that what is read
 * has the type that `json<T>()` names: it is what was appended.
 */
export const json: JsonCodec = branded(
  'json',
  Object.assign(<T>() => json as Codec<T>, {
    encode: (value: unknown): Uint8Array => encoder.encode(jsonText(value)),
    decode: (encoded: Uint8Array): unknown => JSON.parse(textOf(encoded, 0, encoded.length)),
  }),
)

/** What the codec {@link json} writes in UTF-8. */
export function jsonText(value: unknown): string {
  const written = JSON.stringify(value)
  if (written === undefined) throw new TypeError(`the json codec cannot encode ${typeof value}: append null instead`)
  return written
}

/** A string as UTF-8. */
export const text: Codec<string> = branded('text', {
  encode: (value: string) => encoder.encode(checkedText(value)),
  decode: (encoded: Uint8Array) => textOf(encoded, 0, encoded.length),
})

/** What the codec {@link text} writes in UTF-8. */
export function checkedText(value: string): string {
  if (typeof value !== 'string') throw new TypeError(`the text codec encodes strings, not ${typeof value}`)
  return value
}

/** Bytes as they are: the default. A Buffer goes in as well; a plain Uint8Array comes out. */
export const bytes: Codec<Uint8Array> = {
  encode(value) {
    if (!(value instanceof Uint8Array)) {
      throw new TypeError(
        `a topic without codec takes Uint8Array values, not ${describe(value)}: name a codec (json, text) or encode it`,
      )
    }
    return value
  },
  decode: (encoded) => encoded,
}

const named: Readonly<Record<CodecName, Codec<unknown>>> = { json, text: text as Codec<unknown> }

/** undefined: a codec of the application, or values that are the bytes themselves. */
export function codecName(codec: object | undefined): CodecName | undefined {
  const name: unknown = codec && Object.getOwnPropertyDescriptor(codec, brand)?.value
  return name === 'json' || name === 'text' ? name : undefined
}

export function codecNamed(name: CodecName): Codec<unknown> {
  return named[name]
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? (value.constructor?.name ?? 'an object') : typeof value
}
