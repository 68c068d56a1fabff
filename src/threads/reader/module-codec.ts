/** How a module of the application gets its values: by a codec of its own, or by one of ours that its topic has. */

import { BookendError } from '../../errors.js'
import { type Codec, type CodecName, codecNamed } from '../../messages/codec.js'
import { type Decode, decoderOf } from '../../messages/value-coding.js'

/**
 * @returns undefined: as bytes
 * @throws `BOOKEND_HANDLER` if the module exports a `codec` that is none
 */
export function decodeOf(
  url: string,
  module: { codec?: unknown },
  topicCodec: CodecName | undefined,
): Decode<unknown> | undefined {
  const { codec } = module
  if (codec === undefined) return topicCodec && decoderOf(codecNamed(topicCodec))
  if (typeof (codec as Partial<Codec<unknown>> | null)?.decode === 'function') return decoderOf(codec as Codec<unknown>)
  throw new BookendError('BOOKEND_HANDLER', `the module ${url} exports a codec without a function "decode"`)
}
