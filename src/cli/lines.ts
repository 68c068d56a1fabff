/** Standard input in lines, with their numbers. */
import { exitStatus, Failure } from './failure.js'
import { whole } from './units.js'

export interface Line {
  /** From 1, as editors count. */
  number: number
  /** Without its end; any bytes. */
  bytes: Uint8Array
}

const lineFeed = 0x0a
const carriageReturn = 0x0d

/**
 * Lines in the portions in which they arrive. They end with LF or CRLF, the last one also with the input; an empty line is a line.
 * @param maxBytes what is kept in memory of a line; about so many bytes are the longest
 * @throws Failure with the number of a line that is too long, after all lines before it
 */
export async function* linesOf(input: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Line[]> {
  let number = 0
  let begun: Uint8Array[] = []
  let begunBytes = 0
  const end = (rest: Uint8Array): Line => {
    number += 1
    const bytes = begun.length === 0 ? rest : Buffer.concat([...begun, rest])
    begun = []
    begunBytes = 0
    return { number, bytes: bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes }
  }
  for await (const chunk of input) {
    const lines: Line[] = []
    let start = 0
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, start)) {
      lines.push(end(chunk.subarray(start, at)))
      start = at + 1
    }
    if (start < chunk.length) {
      begun.push(chunk.subarray(start))
      begunBytes += chunk.length - start
    }
    if (lines.length > 0) yield lines
    if (begunBytes > maxBytes)
      throw new Failure(
        `line ${whole(number + 1)} has more than ${whole(maxBytes)} bytes, and no message can be as long (BOOKEND_TOO_LARGE)`,
        exitStatus.failed,
      )
  }
  if (begunBytes > 0) yield [end(new Uint8Array(0))]
}
