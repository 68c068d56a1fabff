/** A process module: loaded once a thread. */
import type { Handler } from '../../engine/handler.js'
import { BookendError } from '../../errors.js'
import type { CodecName } from '../../messages/codec.js'
import type { Decode } from '../../messages/value-coding.js'
import { decodeOf } from './module-codec.js'
import { describe } from './thrown.js'
import { tracedHandler } from './traced-handler.js'

/** A module, loaded. */
export interface LoadedHandler {
  readonly handle: Handler<unknown>
  readonly decode: Decode<unknown> | undefined
}

/** @throws `BOOKEND_HANDLER` if it does not load, or exports no function as its default */
export async function loadHandler(url: string, topicCodec: CodecName | undefined): Promise<LoadedHandler> {
  let module: { default?: unknown; codec?: unknown }
  try {
    module = (await import(url)) as { default?: unknown; codec?: unknown }
  } catch (cause) {
    throw new BookendError('BOOKEND_HANDLER', `the module ${url} does not load: ${describe(cause)}`, { cause })
  }
  if (typeof module.default === 'function')
    return { handle: tracedHandler(module.default as Handler<unknown>), decode: decodeOf(url, module, topicCodec) }
  throw new BookendError('BOOKEND_HANDLER', `the module ${url} does not export a function as its default`)
}
