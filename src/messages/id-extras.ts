/** Key and headers of messages that have an id and nothing else: see format/id-header.ts. */
import type { Extras } from '../engine/terms.js'
import { IdExtras, isPlainId } from '../format/id-header.js'

export { extrasLength } from '../format/id-header.js'

/** Undefined: the id takes more than to be copied. */
export function plainIdExtras(key: Uint8Array | undefined, id: string): Extras | undefined {
  return isPlainId(id) ? new IdExtras(key, id) : undefined
}
