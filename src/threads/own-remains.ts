/** What a thread of the library leaves mapped when it ends: it says so while it lives, and a reaper clears up behind it. */
import { loadLibc } from '../memory/libc.js'
import type { SystemCalls } from '../memory/memory.js'
import { hasTaskEnded, ownTask } from '../memory/thread-task.js'
import { ThreadRemains } from '../ring/thread-remains.js'

/** For each thread, as soon as it has loaded the C library: it may be ended at any time. */
export function enterRemains(remains: SharedArrayBuffer): void {
  const libc = loadLibc()
  if (!(libc instanceof Error)) new ThreadRemains(remains).enter(ownTask(), libc.blocks())
}

export function clearRemains(remains: SharedArrayBuffer, calls: SystemCalls): void {
  new ThreadRemains(remains).clear(ownTask(), hasTaskEnded, ({ address, byteLength }) =>
    calls.unmap(address, byteLength),
  )
}
