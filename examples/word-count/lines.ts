import { isWordByte } from './word-bytes.js'

const LINE_FEED = 0x0a
/** How far back from a forced cut a word boundary is looked for. */
const BOUNDARY_SEARCH_BYTES = 1024

/**
 * Cuts a stream of chunks into lines that keep every byte, terminators included, so that the lines in a row are the
 * input again. Only the last line may lack its line feed. Lines longer than `maxLineBytes` are handed out in pieces,
 * cut between two words where there is such a place: a message has a largest size, a line has none.
 */
export class LineSplitter {
  readonly #maxLineBytes: number
  /** The line under way, as the chunks brought it: joined once, when its end arrives. */
  #parts: Uint8Array[] = []
  #partBytes = 0

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes
  }

  /**
   * Takes the next chunk and returns the lines that end in it. They may be views into the chunk.
   *
   * @param chunk any length, cut anywhere
   */
  push(chunk: Buffer): Uint8Array[] {
    const lines: Uint8Array[] = []
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED) + 1; end > 0; end = chunk.indexOf(LINE_FEED, start) + 1) {
      this.#emit(chunk.subarray(start, end), lines)
      start = end
    }
    if (start < chunk.length) {
      this.#parts.push(chunk.subarray(start))
      this.#partBytes += chunk.length - start
      if (this.#partBytes > this.#maxLineBytes) this.#parts = this.#cutLong(this.#join(), lines)
    }
    return lines
  }

  /** The last line, if it came without a line feed. */
  end(): Uint8Array[] {
    return this.#partBytes > 0 ? [this.#join()] : []
  }

  #emit(ending: Uint8Array, lines: Uint8Array[]): void {
    let line = ending
    if (this.#partBytes > 0) {
      this.#parts.push(ending)
      line = this.#join()
    }
    if (line.length > this.#maxLineBytes) line = this.#cutLong(line, lines)[0]!
    lines.push(line)
    this.#parts = []
    this.#partBytes = 0
  }

  #join(): Uint8Array {
    return this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
  }

  /** Moves full pieces to `lines`; the rest, never empty, stays the line under way. */
  #cutLong(line: Uint8Array, lines: Uint8Array[]): Uint8Array[] {
    let rest = line
    while (rest.length > this.#maxLineBytes) {
      const cut = wordBoundary(rest, this.#maxLineBytes)
      lines.push(rest.subarray(0, cut))
      rest = rest.subarray(cut)
    }
    this.#partBytes = rest.length
    return [rest]
  }
}

function wordBoundary(bytes: Uint8Array, limit: number): number {
  const lowest = Math.max(1, limit - BOUNDARY_SEARCH_BYTES)
  for (let cut = limit; cut >= lowest; cut--) {
    if (!isWordByte(bytes[cut - 1]!) || !isWordByte(bytes[cut]!)) return cut
  }
  return limit
}
