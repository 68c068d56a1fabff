/**
 * The file of the active segment under the tail's hands: its window, how far there are blocks, and how far it has been written to.
 * Nothing is stored where there are no blocks, nothing is written behind a hole, and what a failed write has left goes first.
 */
import { assert } from '../../errors.js'
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import type { Window } from '../../memory/memory.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import type { MappingChoice } from './mapping-choice.js'
import type { TailState } from './topic-state.js'

/** Remains are erased with these. */
const zeros = new Uint8Array(256 << 10)

export class TailFile {
  readonly #files: SegmentFiles
  readonly #windows: SegmentWindows
  readonly #mapping: MappingChoice
  readonly #allocatedTo: () => number
  #segment: number
  /** Beyond the end of the log only by a write that failed. */
  #writtenTo: number
  /** Up to here, relative to the segment, there were blocks when that was last looked at. */
  #blocks = 0
  #wordsOf: Uint8Array | undefined
  #words: Uint32Array = new Uint32Array(0)

  /** @param allocatedTo position up to which there are blocks */
  constructor(
    files: SegmentFiles,
    windows: SegmentWindows,
    mapping: MappingChoice,
    { segment, relative }: TailState,
    allocatedTo: () => number,
  ) {
    this.#files = files
    this.#windows = windows
    this.#mapping = mapping
    this.#segment = segment
    this.#writtenTo = relative
    this.#allocatedTo = allocatedTo
  }

  get blocks(): number {
    return this.#blocks
  }

  lookForBlocks(): void {
    const { segmentBytes } = this.#files
    this.#blocks = Math.min(segmentBytes, this.#allocatedTo() - this.#files.base(this.#segment))
  }

  /** The log goes on in the next segment. */
  enterNext(): void {
    this.#segment += 1
    this.#blocks = 0
    this.#writtenTo = segmentHeaderBytes
  }

  /** Opens the next segment ahead of its use; mapped, its pages can be faulted in by somebody else. */
  openNext(mayMap: boolean): void {
    // Once a segment, and not in the roll: a busy writer has no other time to give back what it has left.
    this.#windows.dropRetired()
    this.#windows.dropUnmappedBelow(this.#segment)
    this.#windows.acquire(this.#segment + 1, 'inOrder', mayMap)
    this.#windows.release(this.#segment + 1)
  }

  use(act: (window: Window) => void): void {
    const { window } = this.#windows.acquire(this.#segment, 'inOrder', this.#mapping.mayMap)
    try {
      act(window)
    } finally {
      this.#windows.release(this.#segment)
    }
  }

  /** Puts `parts`, which are to fill `[from, to)`, into the file by one write. */
  write(from: number, to: number, parts: Uint8Array[]): void {
    this.use((window) => {
      this.claim(window, from, to)
      window.write(from, parts)
    })
  }

  /** Takes back what a failed write has left behind `end`, the end of the log. */
  eraseFrom(end: number): void {
    if (this.#writtenTo === end) return
    try {
      this.use((window) => this.claim(window, end, end))
    } catch {
      // What has failed once may fail again; nothing is written before it has succeeded.
    }
  }

  /**
   * Before anything is written at `[from, to)`, the end of the log, what a failed write has left there and behind goes: whole batches,
   * at their right positions, which recovery would take for a part of the log. The last ones first: a crash in between leaves
   * the first batches of what failed, and no hole in front of others.
   */
  claim(window: Window, from: number, to: number): void {
    assert(this.#writtenTo >= from, 'the log is written without a hole')
    assert(to <= this.#blocks, 'nothing is stored where there are no blocks')
    while (this.#writtenTo > from) {
      const at = Math.max(from, this.#writtenTo - zeros.length)
      window.write(at, [zeros.subarray(0, this.#writtenTo - at)])
      this.#writtenTo = at
    }
    this.#writtenTo = to
  }

  /** The words of a window's bytes, made once a window. */
  wordsOf(target: Uint8Array): Uint32Array {
    if (this.#wordsOf !== target) {
      this.#wordsOf = target
      this.#words = new Uint32Array(target.buffer, target.byteOffset, target.byteLength >>> 2)
    }
    return this.#words
  }
}
