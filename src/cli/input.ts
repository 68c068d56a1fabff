/** Standard input, for verbs that read all of it. */
import { fstatSync } from 'node:fs'
import { addAbortSignal } from 'node:stream'
import { progressOnTerminal } from './progress.js'

/**
 * Ends with an error once the signal fires, whatever is being waited for. How far it is is shown of a file: of a pipe nobody knows the end,
 * and whoever writes into it may be showing how far that is.
 * @param verb names it there
 */
export async function* standardInput(verb: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const input: AsyncIterable<Uint8Array> = addAbortSignal(signal, process.stdin)
  const status = fstatSync(process.stdin.fd)
  const progress = status.isFile() ? progressOnTerminal(verb, status.size) : undefined
  try {
    for await (const chunk of input) {
      yield chunk
      progress?.advance(chunk.length)
    }
  } finally {
    progress?.end()
  }
}
