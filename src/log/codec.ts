/** How values become bytes and back. */
export interface Codec<T> {
  encode(value: T): Uint8Array
  decode(bytes: Uint8Array): T
}

const encoder = new TextEncoder()
// A byte order mark is part of the text: what goes in comes out.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Any JSON value, as UTF-8 text. `undefined` and functions are a TypeError: JSON cannot say them. */
export const json: Codec<unknown> = {
  encode(value) {
    const written = JSON.stringify(value)
    if (written === undefined) throw new TypeError(`the json codec cannot encode ${typeof value}: append null instead`)
    return encoder.encode(written)
  },
  decode: (encoded) => JSON.parse(decoder.decode(encoded)) as unknown,
}

/** A string as UTF-8. */
export const text: Codec<string> = {
  encode(value) {
    if (typeof value !== 'string') throw new TypeError(`the text codec encodes strings, not ${typeof value}`)
    return encoder.encode(value)
  },
  decode: (encoded) => decoder.decode(encoded),
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

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? (value.constructor?.name ?? 'an object') : typeof value
}
