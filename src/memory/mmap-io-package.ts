import { createRequire } from 'node:module'

/** The one function of the optional package `mmap-io` that is used here; its own typings do not fit the module. */
export interface MmapIo {
  map(byteLength: number, protection: number, flags: number, descriptor: number): Buffer<ArrayBuffer>
}

let loaded: MmapIo | undefined
let isTried = false

/**
 * The package's compiled part, or undefined where it was not installed or not built for this Node: an ordinary case on Node 24 and
 * later, and wherever npm skips install scripts. Asked once per thread.
 *
 * Not through the package's own module: that loads an installer to compute the path below, and takes 50 ms and up to 9 MB of each
 * thread even to say that nothing was built. The package is pinned to one version, so the path is as certain as the module is.
 */
export function loadMmapIo(): MmapIo | undefined {
  if (!isTried) {
    isTried = true
    const require = createRequire(import.meta.url)
    const build = `node-v${process.versions.modules}-${process.platform}-${process.arch}`
    try {
      loaded = require(unseen(`mmap-io/build/binding/Release/${build}/mmap_io.node`)) as MmapIo
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
