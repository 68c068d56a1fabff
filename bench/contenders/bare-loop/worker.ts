/** The bare loop's worker: ring to mapped segment, nothing else. */
import { join } from 'node:path'
import { workerData } from 'node:worker_threads'
import { crc32 } from 'node:zlib'
import {
  batchHeaderBytes,
  batchMagic,
  frameUnits,
  headWord,
  maxBatchBytes,
  paddingMark,
  producerAsleepWord,
  publishedWord,
  ringUnits,
  segmentBytes,
  startedWord,
  stopWord,
  tailWord,
  unitBytes,
  workerAsleepWord,
} from './layout.js'
import { createMappedFile, type MappedFile, unmapFile, viewOf } from './segment-file.js'

/** What the worker is started with. */
export interface BareWorkerData {
  readonly directory: string
  readonly control: SharedArrayBuffer
  readonly ring: SharedArrayBuffer
}

const { directory, control: controlBuffer, ring: ringBuffer } = workerData as BareWorkerData
const control = new Int32Array(controlBuffer)
const words = new Int32Array(ringBuffer)
const halves = new Uint16Array(ringBuffer)
const ringData = Buffer.from(ringBuffer)

const indexMask = ringUnits - 1
const maxBatchUnits = maxBatchBytes / unitBytes
const resumeUnits = ringUnits / 4
const sleepSpins = 20_000

let head = 0
let nextOffset = 0
let basePosition = 0
let segment: MappedFile | undefined
let segmentData: Buffer = Buffer.alloc(0)
let segmentView: DataView = new DataView(new ArrayBuffer(0))
let at = 0

function roll(): void {
  if (segment !== undefined) unmapFile(segment)
  basePosition += segment === undefined ? 0 : segmentBytes
  segment = createMappedFile(join(directory, `${String(basePosition).padStart(16, '0')}.seg`), segmentBytes)
  segmentData = viewOf(segment)
  segmentView = new DataView(segmentData.buffer)
  at = 0
}

/** Moves one run from the ring into the segment; returns false where there was none. */
function appendRun(): boolean {
  const tail = Atomics.load(control, tailWord)
  if (tail === head) return false
  let index = head & indexMask
  if (words[index * 2] === paddingMark) {
    head = (head + ringUnits - index) | 0
    if (tail === head) {
      Atomics.store(control, headWord, head)
      return true
    }
    index = 0
  }
  const available = Math.min(index + ((tail - head) | 0), ringUnits)
  const limit = Math.min(available, index + maxBatchUnits)
  let end = index
  let count = 0
  while (end < limit) {
    const length = words[end * 2]!
    if (length === paddingMark) break
    const next = end + frameUnits(length)
    if (next > limit && count > 0) break
    const offset = nextOffset + count
    words[end * 2 + 2] = offset | 0
    halves[end * 4 + 3] = offset / 0x1_0000_0000
    count++
    end = next
  }
  const runBytes = (end - index) * unitBytes
  if (at + batchHeaderBytes + runBytes > segmentBytes) roll()
  ringData.copy(segmentData, at + batchHeaderBytes, index * unitBytes, end * unitBytes)
  segmentView.setUint32(at + 4, batchMagic, true)
  segmentView.setUint32(at + 8, 1, true)
  segmentView.setUint32(at + 12, runBytes, true)
  segmentView.setUint32(at + 16, count, true)
  segmentView.setFloat64(at + 24, basePosition + at, true)
  segmentView.setFloat64(at + 32, Date.now(), true)
  const checksum = crc32(segmentData.subarray(at + 4, at + batchHeaderBytes + runBytes))
  segmentView.setUint32(at, checksum, true)
  at += batchHeaderBytes + runBytes
  nextOffset += count
  head = (head + end - index) | 0
  // The published position first: whoever sees the head move may already read the batch.
  Atomics.store(control, publishedWord, ((basePosition + at) / unitBytes) | 0)
  Atomics.store(control, headWord, head)
  if (Atomics.load(control, producerAsleepWord) === 1 && ringUnits - ((tail - head) | 0) >= resumeUnits) {
    Atomics.notify(control, headWord)
  }
  return true
}

/** Spins a little, then sleeps until the producer stores a new tail. */
function waitForFrames(): void {
  for (let spin = 0; spin < sleepSpins; spin++) {
    if (Atomics.load(control, tailWord) !== head) return
  }
  Atomics.store(control, workerAsleepWord, 1)
  Atomics.wait(control, tailWord, head, 1000)
  Atomics.store(control, workerAsleepWord, 0)
}

roll()
Atomics.store(control, startedWord, 1)
Atomics.notify(control, startedWord)
while (Atomics.load(control, stopWord) === 0) {
  if (!appendRun()) waitForFrames()
}
if (segment !== undefined) unmapFile(segment)
