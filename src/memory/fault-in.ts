import { errno, failedCall } from './errno.js'
import { advicePopulateRead, adviceWillNeed, type Libc } from './libc.js'
import { pageRange } from './page-range.js'

/**
 * Makes the range present in memory, or throws the error that a load from it would have died of.
 * @param isAlone the mapping does not read ahead: the range is asked for as one, where its faults would read page by page
 */
export type FaultIn = (address: number, byteLength: number, isAlone?: boolean) => void

/** One per thread. Where the kernel (before 5.14) or a sandbox does not know the call, it is given up for good. */
export function createFaultIn(libc: Libc): FaultIn {
  let isSupported = true
  return (address, byteLength, isAlone = false) => {
    if (!isSupported || byteLength === 0) return
    const { from, bytes } = pageRange(address, byteLength, libc.kernelPageBytes)
    if (isAlone && bytes > libc.kernelPageBytes) libc.advise(from, bytes, adviceWillNeed)
    let failure: number
    do failure = libc.advise(from, bytes, advicePopulateRead)
    while (failure === errno.EINTR)
    if (failure === 0) return
    if (failure !== errno.EINVAL && failure !== errno.ENOSYS && failure !== errno.EPERM) {
      throw failedCall('madvise', failure, `${byteLength} bytes cannot be read`)
    }
    isSupported = false
  }
}
