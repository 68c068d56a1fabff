import { type CopyOut, createCopyOut } from './copy-out.js'
import { createFaultIn, type FaultIn } from './fault-in.js'
import { createGather, type Gather } from './gather.js'
import { adviceNormal, adviceRandom, type Libc } from './libc.js'
import { pageRange } from './page-range.js'

/** How a window gets at the pages of its mapping. One set per thread. */
export interface PageCalls {
  readonly faultIn: FaultIn
  readonly gather: Gather
  readonly copyOut: CopyOut
  /**
   * Whether a fault in the mapping reads ahead and behind, as much as the device is set up for: up to 8 MiB for one record. Without it a
   * fault reads one page.
   */
  readAhead(address: number, byteLength: number, isWanted: boolean): void
}

export function createPageCalls(libc: Libc): PageCalls {
  return {
    faultIn: createFaultIn(libc),
    gather: createGather(libc),
    copyOut: createCopyOut(libc),
    readAhead(address, byteLength, isWanted) {
      const { from, bytes } = pageRange(address, byteLength, libc.kernelPageBytes)
      // Only speed depends on it, so nobody asks whether the kernel does it.
      libc.advise(from, bytes, isWanted ? adviceNormal : adviceRandom)
    },
  }
}
