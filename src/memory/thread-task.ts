/** Whether another thread of this process has ended, for a thread that is blocked and hears of nothing. Linux; elsewhere nobody knows. */
import { existsSync, readlinkSync } from 'node:fs'

/** The number that the kernel has for the calling thread; 0 where it does not say. */
export function ownTask(): number {
  try {
    // As in 4711/task/4714.
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1)) || 0
  } catch {
    return 0
  }
}

/** False: the thread has ended. True also where that cannot be told. */
export function isTaskAlive(task: number): boolean {
  return task === 0 || existsSync(`/proc/self/task/${task}`)
}
