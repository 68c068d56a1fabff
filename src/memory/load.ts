import { isMappable } from './file-system.js'
import { FileMemory } from './file-window.js'
import { KoffiMapper } from './koffi-mapper.js'
import { type Libc, loadLibc } from './libc.js'
import type { Memory, MemoryKind, SystemCalls } from './memory.js'
import { MmapIoMapper } from './mmap-io-mapper.js'
import { loadMmapIo } from './mmap-io-package.js'

/**
 * Which kind of windows the log in `directory` gets. Chosen once per log and passed on to the other threads: asking
 * loads both native packages.
 */
export function chooseMemory(io: 'auto' | 'mmap' | 'file', directory: string, calls: SystemCalls): MemoryKind {
  if (io === 'file') return 'file'
  const libc = loadLibc()
  const isNative = calls.isNative && !(libc instanceof Error)
  if (io === 'auto' && !(isNative && isMappable(directory))) return 'file'
  if (!isNative) {
    const reason = libc instanceof Error ? libc.message : 'the system calls given are not native'
    throw new Error(`io 'mmap' cannot map files: ${reason}; or open with io 'file'`, { cause: libc })
  }
  // Koffi is needed either way, to retire.
  return loadMmapIo() === undefined ? 'koffi' : 'mmap-io'
}

/** Why nothing can be mapped on a system where it could; undefined: it can, or this is another system. */
export function missingNative(): string | undefined {
  const libc = loadLibc()
  return libc instanceof Error && libc.cause !== undefined ? libc.message : undefined
}

/** The windows of that kind, for this thread. Throws where the native part is missing here. */
export function loadMemory(kind: MemoryKind, calls: SystemCalls): Memory {
  if (kind === 'file') return new FileMemory()
  const libc = requireLibc()
  if (kind === 'koffi') return new KoffiMapper(libc, calls)
  const mmapIo = loadMmapIo()
  if (mmapIo === undefined) {
    throw new Error('mmap-io did not load: run "npm rebuild mmap-io" (with CXXFLAGS=-std=gnu++20 on Node 24 and later)')
  }
  return new MmapIoMapper(mmapIo, libc, calls)
}

function requireLibc(): Libc {
  const libc = loadLibc()
  if (libc instanceof Error) throw libc
  return libc
}
