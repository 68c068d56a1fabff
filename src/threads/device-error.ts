import { isOutOfDescriptors } from '../failures.js'

/** What the reaper says of a failure: `EIO` where the error is no answer of the system. */
export function errnoOf(error: unknown): { errno: number; code: string } {
  const { errno, code } = error as NodeJS.ErrnoException
  // Node's own errors carry negative numbers.
  return { errno: Math.abs(errno ?? 0) || 5, code: code ?? 'EIO' }
}

/** And not a device: the thread ends, its pins with it, and another goes on from what is on disk and in the shared words. */
export function isBug(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).errno === undefined
}

/** No descriptor to be had: it says nothing about the device. */
export function isPassing(error: unknown): boolean {
  return isOutOfDescriptors(errnoOf(error).errno)
}
