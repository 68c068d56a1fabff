/**
 * What the threads of this process leave behind when they end, however they end, and who unmaps it: one table for all logs, since
 * the last thread of a log can only be cleared up after by another log.
 *
 * The first word of a row says who owns it: 0, free; a task number, entered by that thread; a negative one, being entered or cleared
 * by that thread. So a thread that ends in the middle of either leaves a row that can be freed. Only a row that is entered is ever
 * unmapped, and by the one thread whose compare-and-swap has taken it: nothing is unmapped twice.
 */
import { highWord, joinWords } from '../format/numbers.js'
import type { AddressRange } from '../memory/koffi-blocks.js'

const maxRows = 4096
const rangesPerRow = 2
const rangeWords = 3
const rowWords = 1 + rangesPerRow * rangeWords

export class ThreadRemains {
  readonly #words: Int32Array

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(maxRows * rowWords * Int32Array.BYTES_PER_ELEMENT)
  }

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared)
  }

  /** The calling thread: what it will leave behind. Nothing happens where there is no row: then it stays. @param task its number */
  enter(task: number, ranges: readonly AddressRange[]): void {
    if (task === 0 || ranges.length === 0) return
    for (let at = 0; at < this.#words.length; at += rowWords) {
      if (Atomics.compareExchange(this.#words, at, 0, -task) !== 0) continue
      for (let index = 0; index < rangesPerRow; index++) {
        const { address, byteLength } = ranges[index] ?? { address: 0, byteLength: 0 }
        const rangeAt = at + 1 + index * rangeWords
        Atomics.store(this.#words, rangeAt, address | 0)
        Atomics.store(this.#words, rangeAt + 1, highWord(address))
        Atomics.store(this.#words, rangeAt + 2, byteLength)
      }
      // Last: whoever takes the row finds it whole.
      Atomics.store(this.#words, at, task)
      return
    }
  }

  /**
   * Unmaps what threads that have ended have left.
   * @param task the caller's number
   * @param hasEnded true only if that is certain
   */
  clear(task: number, hasEnded: (task: number) => boolean, unmap: (range: AddressRange) => void): void {
    if (task === 0) return
    for (let at = 0; at < this.#words.length; at += rowWords) {
      const owner = Atomics.load(this.#words, at)
      if (owner === 0 || !hasEnded(Math.abs(owner))) continue
      if (Atomics.compareExchange(this.#words, at, owner, -task) !== owner) continue
      if (owner > 0) for (const range of this.#rangesOf(at)) unmap(range)
      Atomics.store(this.#words, at, 0)
    }
  }

  #rangesOf(at: number): AddressRange[] {
    const ranges: AddressRange[] = []
    for (let index = 0; index < rangesPerRow; index++) {
      const rangeAt = at + 1 + index * rangeWords
      const address = joinWords(Atomics.load(this.#words, rangeAt), Atomics.load(this.#words, rangeAt + 1))
      const byteLength = Atomics.load(this.#words, rangeAt + 2)
      if (byteLength > 0) ranges.push({ address, byteLength })
    }
    return ranges
  }
}
