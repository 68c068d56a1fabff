import { createRequire } from 'node:module'

/** The one function of the optional package `mmap-io` that is used here; its own typings do not fit the module. */
export interface MmapIo {
  map(byteLength: number, protection: number, flags: number, descriptor: number): Buffer<ArrayBuffer>
}

let loaded: MmapIo | undefined
let isTried = false

/**
 * The package, or undefined where it was not installed or not built for this Node: an ordinary case on Node 24 and
 * later, and wherever npm skips install scripts. Asked once per thread, since the package takes 30-90 ms to say either.
 */
export function loadMmapIo(): MmapIo | undefined {
  if (!isTried) {
    isTried = true
    try {
      loaded = createRequire(import.meta.url)(unseen('mmap-io')) as MmapIo
    } catch {
      loaded = undefined
    }
  }
  return loaded
}

/** A name that is not there for bundlers: some follow the package into its install scripts, and break (Turbopack of Next.js 16). */
function unseen(name: string): string {
  return [...name].join('')
}
