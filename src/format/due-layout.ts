/**
 * What stands in the hidden topic `.due`: in which order scheduled messages come due that are too many for memory. It says nothing that `.later` does not, and is
 * made anew from that where it cannot be read. All numbers are u64.
 *
 * ```
 *   run: messages that are appended together
 *     fences     pages x { order, id }          of the first entry of each page
 *     page       entries x { order, id, at }    ascending by order, then id; at: 2 x the offset of the record in `.later`, + 1 if it cancels
 *     ...
 *     manifest   tail, runs x { fences, pages, since }
 * ```
 *
 * The last message of the topic is the manifest: which runs there are (`fences`: offset of that message here), and from which offset of `.later` on (`tail`) records
 * are in none. `since`: the lowest offset of a record in the run. A run without entries ahead of what is delivered is left out of the next manifest.
 */
import { putNumber, takeNumber } from './numbers.js'

/** Numbers of one entry, of one fence, and of one run in a manifest. */
export const entryNumbers = 3
export const fenceNumbers = 2
export const runNumbers = 3

/** Entries of a page: below 8 KiB. */
export const entriesPerPage = 340

export function encodeNumbers(values: readonly number[] | Float64Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 8)
  const view = new DataView(bytes.buffer)
  values.forEach((value, index) => {
    putNumber(view, index * 8, value)
  })
  return bytes
}

/** What is no number is NaN. */
export function decodeNumbers(bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const values = new Float64Array(bytes.length >>> 3)
  for (let index = 0; index < values.length; index++) values[index] = takeNumber(view, index * 8)
  return values
}
