import { loadLibc } from './libc.js'
import type { SystemCalls } from './memory.js'
import { NativeSystemCalls } from './native-system-calls.js'
import { PortableSystemCalls } from './portable-system-calls.js'

/** The system calls of this thread: native through koffi where it loads, else the portable few (`isNative` tells). */
export function loadSystemCalls(): SystemCalls {
  const libc = loadLibc()
  return libc instanceof Error ? new PortableSystemCalls() : new NativeSystemCalls(libc)
}
