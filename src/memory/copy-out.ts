import type { Libc } from './libc.js'

/**
 * Copies memory at an address, all of which can be read, to `targetAt` of the target.
 *
 * By address, and not out of an array that lies over it: V8 takes an ArrayBuffer over a segment's mapping for as much garbage to come, and
 * collects two or three times for each.
 */
export type CopyOut = (target: Uint8Array, targetAt: number, address: number, length: number) => void

/** Shorter arrays V8 keeps in its heap, and makes new memory for them once somebody wants their address. */
const longestInHeap = 64

/** One per thread. */
export function createCopyOut({ copy }: Libc): CopyOut {
  const short = new Uint8Array(new ArrayBuffer(longestInHeap))
  return (target, targetAt, address, length) => {
    // The C library writes by address.
    if (targetAt < 0 || length < 0 || targetAt + length > target.byteLength)
      throw new RangeError(`${length} bytes do not fit at ${targetAt} of the target`)
    if (length === 0) return
    if (target.byteLength > longestInHeap) {
      copy(targetAt === 0 ? target : target.subarray(targetAt), address, length)
      return
    }
    copy(short, address, length)
    for (let index = 0; index < length; index++) target[targetAt + index] = short[index]
  }
}
