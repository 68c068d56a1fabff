/**
 * What is read for the first time comes out of the file, what was read before out of the mapping: a mapping that is touched for the first time
 * takes page faults, in which threads wait for each other, and half as long again as a `pread`; later it is the quicker one of the two.
 *
 * Both have the same file, also where another one has got its name since. But a descriptor keeps the space of a file that was deleted, which
 * a mapping that was retired does not. So a thread keeps those of the few mappings that it has made last, and of these no longer than until its
 * next look at what was retired.
 */
import { maxFirstReadFiles } from '../../limits.js'
import type { Window } from '../../memory/memory.js'
import type { PinnedWindow } from './segment-windows.js'

/** The descriptors that one thread keeps. */
export class FirstReads {
  /** Windows whose file is open, the oldest first. */
  readonly #open: Window[] = []

  opened(window: Window): void {
    if (window.file === undefined) return
    this.#open.push(window)
    if (this.#open.length > maxFirstReadFiles) this.#open.shift()?.file?.close()
  }

  /** To be called in front of its `close`. */
  closing(window: Window): void {
    const index = this.#open.indexOf(window)
    if (index >= 0) this.#open.splice(index, 1)
  }
}

/**
 * Fills `target` from a batch at `at` on. What was verified through this mapping was read before.
 * @throws like {@link Window.readInto}
 */
export function readBatches({ window, isVerified }: PinnedWindow, target: Uint8Array, at: number): void {
  if (window.file === undefined || isVerified(at)) window.readInto(target, 0, at, target.byteLength)
  else window.file.readInto(target, at)
}
