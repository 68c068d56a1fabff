import { errno, failedCall } from './errno.js'
import type { Libc } from './libc.js'

/** Words of one range of {@link Gather}: where it starts in the mapping, its length, and where it goes in the target. */
export const rangeWord = { at: 0, length: 1, targetAt: 2, perRange: 3 } as const

/**
 * Copies ranges of the mapping at `address` into `target`, which is memory of an ArrayBuffer that was made as one. Where a range cannot
 * be read, throws the error that a load from it would have died of. False: the kernel does not do it here, copy in another way.
 * @param ranges `count` ranges, see {@link rangeWord}
 */
export type Gather = (address: number, target: Uint8Array, ranges: Uint32Array, count: number) => boolean

/** The kernel takes no more at once (`UIO_MAXIOV`). */
const rangesPerCall = 1024
/** A `struct iovec`: address and length, eight bytes each. */
const vectorWords = 4

/**
 * One per thread: the kernel reads this process's memory as it would another's (`process_vm_readv`), and answers EFAULT where a load
 * would be a SIGBUS. One call instead of one for each range that asks for its pages. Where a sandbox forbids it, it is given up for good.
 */
export function createGather(libc: Libc): Gather {
  const vectors = new Uint32Array(new ArrayBuffer(2 * rangesPerCall * vectorWords * Uint32Array.BYTES_PER_ELEMENT))
  const vectorsAt = libc.addressOf(new Uint8Array(vectors.buffer))
  const sourcesAt = rangesPerCall * vectorWords
  let isSupported = libc.readRanges !== undefined
  const put = (word: number, address: number, length: number) => {
    vectors[word] = address >>> 0
    vectors[word + 1] = Math.floor(address / 2 ** 32)
    vectors[word + 2] = length
  }
  return (address, target, ranges, count) => {
    if (!isSupported || libc.readRanges === undefined) return false
    const targetAddress = libc.addressOf(target)
    for (let done = 0; done < count; ) {
      const some = Math.min(rangesPerCall, count - done)
      let bytes = 0
      for (let index = 0; index < some; index++) {
        const range = (done + index) * rangeWord.perRange
        const length = ranges[range + rangeWord.length]
        put(index * vectorWords, targetAddress + ranges[range + rangeWord.targetAt], length)
        put(sourcesAt + index * vectorWords, address + ranges[range + rangeWord.at], length)
        bytes += length
      }
      const copied = libc.readRanges(vectorsAt, vectorsAt + sourcesAt * Uint32Array.BYTES_PER_ELEMENT, some)
      if (copied === -errno.ENOSYS || copied === -errno.EPERM) {
        isSupported = false
        return false
      }
      if (copied < 0) throw failedCall('process_vm_readv', -copied, `${bytes} bytes in ${some} ranges cannot be read`)
      // It stops in front of the first range that it cannot read.
      if (copied < bytes) throw failedCall('process_vm_readv', errno.EFAULT, `${bytes - copied} bytes cannot be read`)
      done += some
    }
    return true
  }
}
