import { errno, failedCall, toSystemCallError } from './errno.js'
import { SystemCallError, type SystemCalls } from './memory.js'
import { zeroFill } from './zero-fill.js'

/** What can be had without native parts. Nothing is mapped here, so there is nothing to populate, sync or retire. */
export class PortableSystemCalls implements SystemCalls {
  readonly isNative = false

  allocate(descriptor: number, to: number, from = 0): void {
    zeroFill(descriptor, to, from)
  }

  populateWrite(): boolean {
    return false
  }

  lockPages(): SystemCallError {
    return failedCall('mlock', errno.ENOSYS, 'no native parts, nothing is mapped')
  }

  /** Rejects: a flush that was not done must never look like one that was. */
  async syncRange(): Promise<void> {
    throw failedCall('msync', errno.ENOSYS, 'no native parts, nothing is mapped')
  }

  retire(): void {}

  unmap(): void {}

  releaseFreeMemory(): void {}

  residentPages(): number {
    return -1
  }

  yieldProcessor(): void {}

  /** The lock belongs to the open file, which the child shares: it outlives the child and ends with the descriptor. */
  lock(descriptor: number): boolean {
    // Not imported: threads with native parts need nothing of it.
    const { spawnSync } = process.getBuiltinModule('node:child_process')
    const child = spawnSync('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'pipe', descriptor], encoding: 'utf8' })
    if (child.error !== undefined) throw commandError(child.error)
    if (child.status === 0) return true
    if (child.status === 1) return false
    const detail = child.stderr.trim() || `the flock command ended with ${child.signal ?? child.status}`
    throw failedCall('flock', errno.EIO, detail)
  }
}

function commandError(error: Error): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return toSystemCallError(error, 'the flock command')
  const detail = 'no flock command: install util-linux, or koffi with "npm rebuild koffi"'
  return new SystemCallError('flock', 'ENOSYS', errno.ENOSYS, detail)
}
