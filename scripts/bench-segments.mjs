#!/usr/bin/env node
// What the life of segments costs the writer: the stall at a roll with and without prepared segments, the price of a fresh and of a
// recycled segment, and appending while segments are deleted. Needs the built product.
// npm run bench:segments -- [DIR] [ROLLS] [GIGABYTES] [PAIRS]; 0 rolls, or 0 pairs: only the rest
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createHistogram } from 'node:perf_hooks'
import { newLogId } from '../dist/src/format/log-id.js'
import { open } from '../dist/src/index.js'
import { FileMemory } from '../dist/src/memory/file-window.js'
import { loadMemory } from '../dist/src/memory/load.js'
import { loadSystemCalls } from '../dist/src/memory/system-calls.js'
import { SlotTable } from '../dist/src/ring/slot-table.js'
import { LogTail } from '../dist/src/storage/append/log-tail.js'
import { nodeDisk } from '../dist/src/storage/files/disk.js'
import { SegmentFiles } from '../dist/src/storage/files/segment-files.js'
import { SegmentWindows } from '../dist/src/storage/files/segment-windows.js'

const mebibyte = 1 << 20
const messageBytes = 1000
const [parent = os.tmpdir(), rolls = '1000', gigabytes = '1', pairs = '12'] = process.argv.slice(2)
const workspace = fs.mkdtempSync(path.join(parent, 'bookend-segments-'))
const calls = loadSystemCalls()
try {
  console.log(
    `${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Linux ${os.release()}, Node ${process.version}`,
  )
  if (Number(rolls) > 0) {
    // In turns, so that a machine that is slow for a while is slow for both.
    const [prepared, undisturbed, unprepared] = [createHistogram(), createHistogram(), createHistogram()]
    for (let round = 0; round < 4; round++) {
      roll(Number(rolls) / 4, true, prepared, undisturbed)
      roll(Number(rolls) / 4, false, unprepared)
    }
    tell('roll and first append, prepared segments', prepared)
    tell('  of these, the thread was not switched out in', undisturbed)
    tell('roll and first append, made when needed', unprepared)
    for (const sizeMib of [1, 16, 128]) compareMaking(sizeMib, 20)
  }
  if (Number(pairs) > 0) await compareDeleting(Number(gigabytes) * 1e9, Number(pairs))
} finally {
  fs.rmSync(workspace, { recursive: true, force: true })
}

function tell(what, histogram) {
  const us = (percentile) => (histogram.percentile(percentile) / 1000).toFixed(1)
  const max = (histogram.max / 1000).toFixed(1)
  console.log(
    `${what}: ${histogram.count} rolls, p50 ${us(50)} us, p99 ${us(99)} us, p99.9 ${us(99.9)} us, max ${max} us`,
  )
}

/** The writer's own code on real files. Prepared: what the reaper does ahead is done outside the time taken. */
function roll(count, isPrepared, histogram, undisturbed) {
  const directory = fs.mkdtempSync(path.join(workspace, 'rolls-'))
  const files = new SegmentFiles(nodeDisk, directory, mebibyte, newLogId())
  nodeDisk.makeDirectory(files.directory)
  const slots = new SlotTable(SlotTable.allocate())
  const windows = new SegmentWindows(loadMemory('koffi', calls), new FileMemory(), files, slots, 'write', 4)
  const start = { segment: 0, relative: 64, records: 0, topics: 0, nameBytes: 0, time: 0 }
  const topic = { id: 0, name: 't', next: 0, first: 0, declaredIn: -1 }
  files.create(0, 1, 1, calls)
  const tail = new LogTail(files, windows, start, [topic], 1, Date.now)
  const bytes = new Uint8Array(16 + messageBytes + 8)
  const words = new Uint32Array(bytes.buffer)
  for (let rolled = 0; rolled < count; rolled++) {
    const next = tail.segment + 1
    if (isPrepared) {
      files.create(next, 1, 1, calls)
      tail.openNext()
      for (const row of slots.rows()) if (row.segment === next) calls.populateWrite(row.address, 512 << 10)
    }
    words.fill(0)
    words[0] = messageBytes
    words[3] = 1 << 16
    const switches = timesSwitchedOut()
    const from = process.hrtime.bigint()
    if (!isPrepared) files.create(next, 1, 1, calls)
    tail.roll()
    tail.append({ bytes, words }, 0, bytes.length, false)
    const taken = process.hrtime.bigint() - from
    histogram.record(taken)
    if (timesSwitchedOut() === switches) undisturbed?.record(taken)
    windows.dropBelow(next)
    files.remove(next - 1)
  }
  windows.closeAll()
  fs.rmSync(directory, { recursive: true })
}

/** How often the kernel has given this thread's core to somebody else. */
function timesSwitchedOut() {
  return Number(/^nonvoluntary_ctxt_switches:\s+(\d+)/m.exec(fs.readFileSync('/proc/thread-self/status', 'utf8'))?.[1])
}

/** Fresh as the reaper makes them; recycled: renamed, every block zeroed, header, flushed, named. */
function compareMaking(sizeMib, rounds) {
  const files = new SegmentFiles(nodeDisk, workspace, sizeMib * mebibyte, newLogId())
  nodeDisk.makeDirectory(files.directory)
  const times = { fresh: [], recycled: [], deleted: [] }
  const [zeros, sevens] = [new Uint8Array(mebibyte), new Uint8Array(mebibyte).fill(7)]
  for (let segment = 0; segment < rounds; segment++) {
    times.fresh.push(timed(() => files.create(segment, 1, 1, calls)))
    const used = nodeDisk.open(files.path(segment), 'write')
    for (let at = 0; at < files.segmentBytes; at += mebibyte) used.write(at, sevens)
    used.sync()
    used.close()
    times.recycled.push(
      timed(() => {
        const temporary = `${files.path(segment)}.new`
        nodeDisk.rename(files.path(segment), temporary)
        const file = nodeDisk.open(temporary, 'write')
        for (let at = 0; at < files.segmentBytes; at += mebibyte) file.write(at, zeros)
        file.sync()
        file.close()
        nodeDisk.rename(temporary, files.path(segment))
        nodeDisk.syncDirectory(files.directory)
      }),
    )
    times.deleted.push(timed(() => files.remove(segment)))
  }
  const ms = (values) => `${median(values).toFixed(2)} ms (max ${Math.max(...values).toFixed(2)})`
  console.log(
    `a segment of ${sizeMib} MiB: fresh ${ms(times.fresh)}, recycled ${ms(times.recycled)}, unlinking ${ms(times.deleted)}`,
  )
}

/**
 * Appending to a log with as many bytes in it already, in small segments, so that there are many to delete: in one variant they go meanwhile. Both
 * do the same otherwise.
 */
async function compareDeleting(payloadBytes, pairs) {
  const ratios = []
  const rates = { kept: [], deleted: [] }
  let removed = 0
  for (let pair = 0; pair < pairs; pair++) {
    const found = {}
    for (const variant of pair % 2 === 0 ? ['kept', 'deleted'] : ['deleted', 'kept']) {
      const directory = path.join(workspace, variant)
      const log = await open(directory, { segmentBytes: 2 * mebibyte })
      const topic = log.topic('t')
      const value = new Uint8Array(messageBytes)
      const fill = async () => {
        for (let count = Math.ceil(payloadBytes / messageBytes); count > 0; count--) {
          while (!topic.offer(value)) await topic.ready()
        }
        await log.flush('process')
      }
      await fill()
      await log.flush('disk')
      // Indexes are written when nothing is appended, and only what has one is deleted.
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      if (variant === 'deleted') log.topic('t', { retention: { maxBytes: 16 * mebibyte } })
      const start = performance.now()
      await fill()
      found[variant] = payloadBytes / 1000 / (performance.now() - start)
      removed += log.stats().segments.deleted
      await log.close()
      fs.rmSync(directory, { recursive: true })
      // What the one has left to write is not the other's to wait for.
      nodeDisk.syncDirectory(workspace)
    }
    rates.kept.push(found.kept)
    rates.deleted.push(found.deleted)
    ratios.push(found.deleted / found.kept)
  }
  const show = (values) => {
    const sorted = [...values].sort((a, b) => a - b)
    const quartile = (share) => sorted[Math.round((sorted.length - 1) * share)].toFixed(2)
    return `median ${median(values).toFixed(2)} (quartiles ${quartile(0.25)} and ${quartile(0.75)})`
  }
  console.log(
    `appending ${payloadBytes / 1e9} GB, MB/s: kept ${show(rates.kept)}, with ${removed} segments deleted ${show(rates.deleted)}`,
  )
  console.log(`deleting over keeping, in ${pairs} pairs: ${show(ratios)}`)
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

function timed(act) {
  const start = performance.now()
  act()
  return performance.now() - start
}
