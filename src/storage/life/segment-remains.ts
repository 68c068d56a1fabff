/** Bytes of a segment behind the end of its data: whether anything was ever written there, and making zeros of it again. */
import type { Disk, DiskFile } from '../files/disk.js'
import type { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles } from '../files/segment-files.js'

const stepBytes = 1 << 20
const zeros = new Uint8Array(stepBytes)
const step = new Uint8Array(stepBytes)

export class SegmentRemains {
  readonly #disk: Disk
  readonly #files: SegmentFiles

  constructor(disk: Disk, files: SegmentFiles) {
    this.#disk = disk
    this.#files = files
  }

  /** Most of an active segment, and all of a prepared one, has never been written: nothing there has to be looked at. */
  writtenEnd(segment: number): number {
    const { segmentBytes } = this.#files
    const file = this.#disk.open(this.#files.path(segment), 'read')
    try {
      return Math.min(file?.writtenEnd() ?? segmentBytes, segmentBytes)
    } finally {
      file?.close()
    }
  }

  /** True if the segment reads as zeros from `from` on. */
  isBlank(segment: number, window: SalvageWindow, from: number): boolean {
    const { segmentBytes } = this.#files
    const end = this.writtenEnd(segment)
    for (let at = from; at < end; at += stepBytes) {
      if (!isZero(readStep(window, at, Math.min(stepBytes, segmentBytes - at)))) return false
    }
    return true
  }

  /**
   * Makes everything from `from` on read as zeros again, and flushes that before anything is appended: otherwise the
   * remains of a torn batch could complete a later one.
   * @returns the bytes that there were
   */
  cut(segment: number, window: SalvageWindow, from: number): number {
    const { segmentBytes } = this.#files
    let file: DiskFile | undefined
    let cutBytes = 0
    const end = this.writtenEnd(segment)
    for (let at = from; at < end; at += stepBytes) {
      const length = Math.min(stepBytes, segmentBytes - at)
      const bytes = readStep(window, at, length)
      if (isZero(bytes)) continue
      file ??= this.#disk.open(this.#files.path(segment), 'write')
      file?.write(at, zeros.subarray(0, length))
      cutBytes += nonZeroEnd(bytes)
    }
    file?.sync()
    file?.close()
    return cutBytes
  }
}

/** Of up to 1 MiB. */
export function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, zeros.subarray(0, bytes.length)) === 0
}

/** Into memory that the next call overwrites: hundreds of megabytes of zeros are looked at. */
function readStep(window: SalvageWindow, at: number, length: number): Uint8Array {
  window.readInto(step, 0, at, length)
  return step.subarray(0, length)
}

function nonZeroEnd(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return end
}
