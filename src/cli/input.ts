/** Standard input, for verbs that read all of it. */
import { addAbortSignal } from 'node:stream'

/** Ends with an error once the signal fires, whatever is being waited for. */
export function standardInput(signal: AbortSignal): AsyncIterable<Uint8Array> {
  return addAbortSignal(signal, process.stdin)
}
