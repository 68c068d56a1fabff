/**
 * Bytes that nobody wrote, into everything that parses: random ones, and real ones with a few places changed, half of the time with
 * checksums made right again, so that the parsers behind them are reached. Must: no exception but a typed one, no endless loop (the
 * run would not end), no more memory than the input allows.
 *
 * Mutants it catches: trusts the length of a frame, takes any topic number.
 */
import { crc32 } from 'node:zlib'
import { BookendError } from '../../src/errors.js'
import { batchHeaderBytes, bodyMatches, readBatchHeader } from '../../src/format/batch-layout.js'
import { decodeControlIdentity, decodeControlRecord } from '../../src/format/control-layout.js'
import { decodeDirectory, decodeFooter, decodeSegmentHeader } from '../../src/format/segment-layout.js'
import { maxTopics } from '../../src/limits.js'
import { visitValues } from '../../src/messages/chunk-cursor.js'
import { findNextBatch, scanBatches } from '../../src/storage/index/batch-scan.js'
import { openLog } from '../../src/storage/life/open-log.js'
import { recordsOf } from '../support/model.js'
import type { Seeded } from '../support/seeded.js'
import { simulatedWorld } from '../support/worlds.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'
import { readAround, type SmallLog, smallLog, smallSegmentBytes } from './small-log.js'

const segment = '/log/log/00000000000000000000.seg'

export const fuzz: Fault = {
  name: 'fuzz',
  isRoot: false,
  weight: 30,
  async run(context: Context): Promise<Row[]> {
    const log = await smallLog(true)
    const random = context.random(3)
    return [parsers(context.part(2), log, random), wholeLogs(context.part(1), log, random)]
  },
}

/** The usual suspects, and anything. */
function number(random: Seeded): number {
  return random.pick([
    0,
    1,
    7,
    0xffffffff,
    0xfffffff0,
    0xffffffe8,
    0x7fffffff,
    0x80000000,
    random.below(2 ** 32),
    random.below(4096),
  ])
}

function mutate(bytes: Uint8Array<ArrayBuffer>, random: Seeded, from: number, to: number): void {
  const view = new DataView(bytes.buffer)
  for (let change = random.below(4); change >= 0; change--) {
    const at = from + Math.floor(random.below(Math.max(4, to - from - 4)) / 4) * 4
    if (random.chance(0.7)) view.setUint32(at, number(random), true)
    else bytes[at + random.below(4)] ^= 1 << random.below(8)
  }
}

/** That a record is not where it should be is said so; anything else is a defect. */
function orCorrupt(read: () => void): void {
  try {
    read()
  } catch (error) {
    if (!(error instanceof BookendError && error.code === 'BOOKEND_CORRUPT')) throw error
  }
}

/** Makes the checksums of the batch at `at` right, whatever it says now. */
function stampBatch(bytes: Uint8Array<ArrayBuffer>, at: number): void {
  const view = new DataView(bytes.buffer)
  const length = Math.min(view.getUint32(at + 8, true), bytes.length - at)
  if (length > batchHeaderBytes)
    view.setUint32(at + 36, crc32(bytes.subarray(at + batchHeaderBytes, at + length)), true)
  view.setUint32(at + 4, crc32(bytes.subarray(at + 8, at + batchHeaderBytes)), true)
}

function parsers(context: Context, log: SmallLog, random: Seeded): Row {
  const row = emptyRow('fuzzed bytes into every parser')
  const original = log.disk.bytes(segment)
  const starts = log.places.filter(({ file }) => file === segment).map(({ from }) => from)
  const footerAt = smallSegmentBytes - 64
  const control = log.disk.bytes('/log/control')
  while (context.more(row.runs, 100_000) && row.failures.length < 10) {
    row.runs += 1
    const start = random.pick(starts)
    const isRandom = random.chance(0.2)
    const bytes = isRandom
      ? Uint8Array.from({ length: random.below(600) * 8 }, () => random.below(256))
      : original.slice(start, start + 2048)
    if (!isRandom) mutate(bytes, random, 0, random.pick([48, 200, 2048]))
    if (!isRandom && random.chance(0.6)) stampBatch(bytes, 0)
    try {
      const header = readBatchHeader(bytes, 0, start, bytes.length)
      if (header !== undefined && bodyMatches(bytes, 0, header)) {
        const batch = bytes.slice(0, header.bytes)
        const topic = random.below(3)
        const first = random.below(4)
        orCorrupt(() => {
          for (const { value } of recordsOf(batch, topic, first, first + 8))
            if (value.length > 2048) throw new Error('over-read')
        })
        orCorrupt(() =>
          visitValues(batch, topic, first, first + 8, (_, from, to) => {
            if (to > batch.length || from < 0) throw new Error(`a value at ${from} to ${to} of ${batch.length} bytes`)
          }),
        )
      }
      scanBatches(bytes, start, bytes.length + random.below(4096), () => {})
      findNextBatch((at, length) => bytes.slice(at, at + length), start, 0, bytes.length)
      const back = original.slice(footerAt - 512)
      mutate(back, random, 0, back.length)
      const view = new DataView(back.buffer)
      if (random.chance(0.7)) view.setUint32(back.length - 60, crc32(back.subarray(back.length - 56)), true)
      const footer = decodeFooter(back.subarray(back.length - 64), 0, smallSegmentBytes)
      if (footer !== undefined)
        decodeDirectory(back.subarray(0, back.length - 64), {
          ...footer,
          directoryCrc: crc32(back.subarray(0, back.length - 64)),
        })
      const head = original.slice(0, 64)
      mutate(head, random, 0, 64)
      decodeSegmentHeader(head)
      const own = control.slice()
      mutate(own, random, 0, 1152)
      decodeControlIdentity(own)
      decodeControlRecord(own)
    } catch (error) {
      if (!(error instanceof BookendError)) row.failures.push(`input ${row.runs}: ${messageOf(error)}`)
    }
  }
  return row
}

/** Whole logs with lies in them that no checksum finds: opened and read. */
function wholeLogs(context: Context, log: SmallLog, random: Seeded): Row {
  const row = emptyRow('hostile logs, checksums right, opened and read')
  let refused = 0
  while (context.more(row.runs, 4_000) && row.failures.length < 10) {
    row.runs += 1
    const disk = log.disk.copy()
    const place = random.pick(log.places)
    const bytes = disk.bytes(place.file)
    mutate(bytes, random, place.from + random.pick([8, 48]), place.to)
    stampBatch(bytes, place.from)
    if (random.chance(0.5)) bytes.fill(0, smallSegmentBytes - 64)
    const before = process.memoryUsage.rss()
    try {
      const world = simulatedWorld(disk.copy(), false)
      const options = { disk: world.disk, directory: '/log', segmentBytes: undefined, readOnly: false }
      const opened = openLog({ ...options, now: () => 1, memory: world.plainMemory })
      opened.control.close()
      const { topics } = opened.recovered
      if (topics.some(({ id, next }) => id >= maxTopics || !Number.isSafeInteger(next)))
        throw new Error('an impossible topic')
      // The engine of the tests has room for that many.
      if (opened.recovered.topics.some(({ id }) => id >= 64)) continue
      // Only what opens is read; that values differ is no wonder here.
      readAround(disk, [...log.values, ...Array.from({ length: 1 }, () => [])])
    } catch (error) {
      if (error instanceof BookendError) refused += 1
      else if (!messageOf(error).startsWith('a topic ')) row.failures.push(`log ${row.runs}: ${(error as Error).stack}`)
    }
    if (process.memoryUsage.rss() - before > 300 << 20)
      row.failures.push(`log ${row.runs}: hundreds of megabytes for 64 KiB`)
  }
  row.note = `${refused} refused to open`
  return row
}
