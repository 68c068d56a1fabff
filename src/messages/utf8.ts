/** UTF-8 read where it stands. */

// Takes any Uint8Array, and bounds instead of a view, which for a short text costs as much as the text. Node.js has it since ever, though
// undocumented: where it is not, there are views.
const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice?: (this: Uint8Array, start: number, end: number) => string
}

// A byte order mark is part of the text: what goes in comes out.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The text of `bytes[start..end)`, with U+FFFD for what is not UTF-8. */
export const textOf: (bytes: Uint8Array, start: number, end: number) => string =
  utf8Slice === undefined
    ? (bytes, start, end) => decoder.decode(bytes.subarray(start, end))
    : (bytes, start, end) => utf8Slice.call(bytes, start, end)
