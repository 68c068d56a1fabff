/**
 * A file that is to stand in the place of a segment: whole and durable before it takes the name, in one step. Whoever has the old one
 * open keeps it as it was.
 *
 * Order: the file is made beside the old one, under a name that the next open removes; all of it is flushed; the side index, which
 * speaks of the old one, goes, unless the new one holds the same records; the new one takes the name; the directory is flushed. A crash
 * before the rename leaves the old segment, one after it the new one, or, after a power cut, either.
 */
import path from 'node:path'
import { assert } from '../../errors.js'
import type { Disk, DiskFile } from './disk.js'
import type { SegmentFiles } from './segment-files.js'

export class Successor {
  readonly #disk: Disk
  readonly #files: SegmentFiles
  readonly #segment: number
  /** Where it stands until it takes the name. */
  readonly path: string
  readonly file: DiskFile
  #isFlushed = false
  #isClosed = false

  /** @throws the error of the call that failed; nothing is left behind then */
  constructor(disk: Disk, files: SegmentFiles, segment: number) {
    this.#disk = disk
    this.#files = files
    this.#segment = segment
    this.path = `${files.path(segment)}.new`
    // Of a thread that died over it.
    if (isThere(disk, files, this.path)) disk.remove(this.path)
    this.file = disk.create(this.path)
  }

  /** Off this thread. Nothing is written afterwards. */
  async flushLater(): Promise<void> {
    await this.file.syncLater()
    this.#isFlushed = true
  }

  flush(): void {
    this.file.sync()
    this.#isFlushed = true
  }

  /** Only when it is flushed: a power cut must not leave the name, and what stood under it gone, before the bytes are there. */
  takeName(holds: 'sameRecords' | 'others' = 'others'): void {
    assert(this.#isFlushed, 'a file is durable before it takes the name of a segment')
    assert(this.file.size() === this.#files.segmentBytes, 'the file that takes the name of a segment has its size')
    if (holds === 'others') this.#files.removeSide(this.#segment)
    this.#disk.rename(this.path, this.#files.path(this.#segment))
    this.#files.syncDirectory()
    this.#close()
  }

  /** It does not take the name. */
  discard(): void {
    this.#close()
    if (isThere(this.#disk, this.#files, this.path)) this.#disk.remove(this.path)
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.file.close()
  }
}

function isThere(disk: Disk, { directory }: SegmentFiles, file: string): boolean {
  return disk.list(directory).includes(path.basename(file))
}
