/** How a module of the application gets its values: by a codec of its own, or by one of ours that its topic has. */

import { BookendError } from '../../errors.js'
import { type Codec, type CodecName, codecNamed } from '../../messages/codec.js'

/** undefined: as bytes. */
export type Decode = ((bytes: Uint8Array) => unknown) | undefined

/** @throws `BOOKEND_HANDLER` if the module exports a `codec` that is none */
export function decodeOf(url: string, module: { codec?: unknown }, topicCodec: CodecName | undefined): Decode {
  const { codec } = module
  if (codec === undefined) return topicCodec && codecNamed(topicCodec).decode
  const { decode } = (codec ?? {}) as Partial<Codec<unknown>>
  if (typeof decode === 'function') return decode.bind(codec)
  throw new BookendError('BOOKEND_HANDLER', `the module ${url} exports a codec without a function "decode"`)
}
