#!/usr/bin/env node
// What the side index of a sealed segment of 128 MiB takes, beside the walk over it and with it: processor time of one thread, medians (least and greatest). Messages of 100 B
// with a key and a header, indexes of both. Needs the built product. npm run bench:side-index -- [DIR] [ROUNDS]
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { open } from '../dist/src/index.js'
import { FileMemory } from '../dist/src/memory/file-window.js'
import { ControlFile } from '../dist/src/storage/files/control-file.js'
import { nodeDisk } from '../dist/src/storage/files/disk.js'
import { SegmentFiles } from '../dist/src/storage/files/segment-files.js'
import { LiveIndex } from '../dist/src/storage/index/live-index.js'
import { readSealedFile } from '../dist/src/storage/index/sealed-index.js'
import { SideCollector } from '../dist/src/storage/side/side-collector.js'
import { makeSideIndex, ownerOf } from '../dist/src/storage/side/side-index-file.js'

const segmentBytes = 128 << 20
const wanted = { keys: true, headers: ['type'] }
const [parent = os.tmpdir(), rounds = '5'] = process.argv.slice(2)
const workspace = fs.mkdtempSync(path.join(parent, 'bookend-side-index-'))
console.log(`${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Node ${process.version}`)
try {
  const directory = path.join(workspace, 'log')
  await fill(directory)
  const files = filesOf(directory)
  const { footer } = readSealedFile(nodeDisk, files, 0)
  console.log(`${footer.records} messages`)
  const [walks, indexed, made] = [[], [], []]
  for (let round = 0; round < Number(rounds) + 1; round++) {
    const walk = await timed(() => walked(files))
    const collector = new SideCollector(() => wanted)
    const collected = await timed(() => walked(files, collector))
    const encoded = await timed(() =>
      makeSideIndex(ownerOf(files, 0, footer), collected.result, collector, async () => {}),
    )
    // The first one is compiled on its way.
    if (round === 0) continue
    walks.push(walk.ms)
    indexed.push(collected.ms - walk.ms + encoded.ms)
    made.push(collected.ms + encoded.ms)
  }
  console.log(`the walk alone                  ${told(walks)}`)
  console.log(`its side index beside the walk  ${told(indexed)}`)
  console.log(`both                            ${told(made)}`)
} finally {
  fs.rmSync(workspace, { recursive: true, force: true })
}

/** One sealed segment, and a beginning of the next. */
async function fill(directory) {
  const log = await open(directory, { segmentBytes })
  const topic = log.topic('bench')
  const value = new Uint8Array(100).fill(65)
  for (let count = 0; count * 150 < 1.02 * segmentBytes; count++) {
    const extras = { key: `key-${count % 250_000}`, headers: { type: count % 100 === 0 ? 'rare' : 'usual' } }
    while (!topic.offer(value, extras)) await topic.ready()
  }
  await log.flush('disk')
  const isFooted = () => readSealedFile(nodeDisk, filesOf(directory), 0) !== undefined
  while (!isFooted()) await sleep(50)
  await log.close()
}

function filesOf(directory) {
  const control = ControlFile.open(nodeDisk, directory, 'read')
  const { id } = control.identity
  control.close()
  return new SegmentFiles(nodeDisk, directory, segmentBytes, id)
}

function walked(files, collector) {
  const window = files.openWindow(new FileMemory(), 0)
  const index = new LiveIndex(0, segmentBytes)
  // As the reaper walks what its log has written.
  const trustedEpoch = epochOf(window)
  index.catchUp(window, segmentBytes, true, { trustedEpoch, onValid: collector?.batch, onExtended: collector?.record })
  window.close()
  if (!index.addsUp) throw new Error('the segment does not add up')
  return index
}

function epochOf(window) {
  const probe = new LiveIndex(0, segmentBytes)
  probe.catchUp(window, segmentBytes, true, { stepBytes: 1 })
  return probe.lastEpoch
}

async function timed(work) {
  globalThis.gc?.()
  const start = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(start)
  return { result, ms: (user + system) / 1e3 }
}

function told(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return `${sorted[sorted.length >> 1].toFixed(0)} ms (${sorted[0].toFixed(0)}-${sorted.at(-1).toFixed(0)})`
}
