/**
 * Where topics begin when segments were deleted. Retention declares nothing: what it has taken is told by what is left, as for the next
 * owner's recovery. The catalog says it, since it knows which of two copies of a moved record counts.
 */
import type { Disk } from '../files/disk.js'
import type { SegmentFiles } from '../files/segment-files.js'
import type { SegmentWindows } from '../files/segment-windows.js'
import { Catalog } from '../index/catalog.js'

export class FirstOffsets {
  readonly #catalog: Catalog
  #trim: number
  #published = 0
  readonly #indexed: () => number

  /** @param indexed segments below have footers */
  constructor(disk: Disk, files: SegmentFiles, windows: SegmentWindows, trim: number, indexed: () => number) {
    this.#trim = trim
    this.#indexed = indexed
    this.#catalog = new Catalog(disk, files, windows, {
      published: () => this.#published,
      indexed: () => Math.max(this.#indexed(), this.#trim),
      trim: () => this.#trim,
    })
  }

  /** Files below `trim` are gone. */
  trimmed(trim: number, published: number): void {
    this.#trim = trim
    this.#published = published
  }

  /** The first record that is left of the topic, and in which segment; undefined: there is none. */
  of(topic: number): { segment: number; first: number } | undefined {
    return this.#catalog.stretches(topic, 0, Number.MAX_SAFE_INTEGER)[0]
  }
}
