/** Whether another thread of this process has ended, for a thread that is blocked and hears of nothing. Linux; elsewhere nobody knows. */
import { existsSync, readlinkSync, statSync } from 'node:fs'

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

/** True: the thread has certainly ended. Where the kernel does not answer, nothing is certain. */
export function hasTaskEnded(task: number): boolean {
  const isThere = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined
  try {
    // The caller at least is alive: if it is not to be seen, nobody is.
    return !isThere(`/proc/self/task/${task}`) && isThere('/proc/thread-self')
  } catch {
    return false
  }
}
