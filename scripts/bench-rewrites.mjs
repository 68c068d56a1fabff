#!/usr/bin/env node
// What writing segments anew takes, and what it gives back: a segment of 128 MiB of which half is dead, or superseded; appends beside it; and the
// disk in use over time with one slow topic among a hundred busy ones, with and without it, as a picture. Needs the built product.
// npm run bench:rewrites -- [DIR] [ROUNDS] [MEGABYTES] [PICTURE]; 0 rounds, or 0 megabytes: only the other part
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { open } from '../dist/src/index.js'
import { FileMemory } from '../dist/src/memory/file-window.js'
import { ControlFile } from '../dist/src/storage/files/control-file.js'
import { nodeDisk } from '../dist/src/storage/files/disk.js'
import { SegmentFiles } from '../dist/src/storage/files/segment-files.js'
import { readSealedFile } from '../dist/src/storage/index/sealed-index.js'
import { SegmentRewrite } from '../dist/src/storage/rewrite/segment-rewrite.js'

const mebibyte = 1 << 20
const segmentBytes = 128 * mebibyte
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1]
const spread = (values) => `${Math.min(...values).toFixed(2)}-${Math.max(...values).toFixed(2)}`

if (isMainThread) await main()
else await rewriteOnAndOn(workerData)

async function main() {
  const [parent = os.tmpdir(), rounds = '5', megabytes = '400', picture = ''] = process.argv.slice(2)
  const workspace = fs.mkdtempSync(path.join(parent, 'bookend-rewrites-'))
  console.log(
    `${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Linux ${os.release()}, Node ${process.version}`,
  )
  try {
    if (Number(rounds) > 0) {
      const filled = await fill(path.join(workspace, 'filled'))
      for (const what of ['dead', 'superseded']) await compareRewrites(workspace, filled, what, Number(rounds))
      await compareAppends(workspace, filled, Number(rounds))
    }
    if (Number(megabytes) > 0) await drawDisk(workspace, Number(megabytes), picture)
  } finally {
    fs.rmSync(workspace, { recursive: true, force: true })
  }
}

/** One sealed segment of two topics in turns, messages of 1,000 bytes. */
async function fill(directory) {
  const log = await open(directory, { segmentBytes })
  const value = new Uint8Array(1_000).fill(7)
  const topics = [log.topic('dead'), log.topic('needed')]
  for (let count = 0; count * 1_040 < 1.02 * segmentBytes; count++) {
    const topic = topics[count % 2]
    while (!topic.offer(value, { key: `key-${count % 50_000}` })) await topic.ready()
  }
  await log.flush('disk')
  const file = path.join(directory, 'log', fs.readdirSync(path.join(directory, 'log')).sort()[0])
  const footed = () => readSealedFile(nodeDisk, filesOf(directory), 0) !== undefined
  while (!footed()) await sleep(50)
  await log.close()
  return { directory, file }
}

function filesOf(directory) {
  const control = ControlFile.open(nodeDisk, directory, 'read')
  const { id } = control.identity
  control.close()
  return new SegmentFiles(nodeDisk, directory, segmentBytes, id)
}

/** Of the first topic all goes, or of every message every second one. */
async function rewrite(directory, what) {
  const files = filesOf(directory)
  const { rows } = readSealedFile(nodeDisk, files, 0)
  const [{ topic, firstOffset, count }] = rows
  const end = firstOffset + count
  const from = what === 'dead' ? new Map([[topic, { offset: end, readable: end }]]) : new Map()
  const odd = { has: (offset) => offset % 2 === 1 }
  const gone = what === 'dead' ? new Map() : new Map(rows.map((row) => [row.topic, odd]))
  const tools = { disk: nodeDisk, files, plainMemory: new FileMemory() }
  const kept = { from, expiredBy: 0, expiring: new Set(), gone }
  const run = new SegmentRewrite(tools, 0, kept)
  await run.write(() => turn())
  return run
}

async function compareRewrites(workspace, { directory }, what, rounds) {
  const seconds = []
  const cpu = []
  for (let round = 0; round < rounds; round++) {
    const copy = path.join(workspace, 'copy')
    fs.cpSync(directory, copy, { recursive: true })
    const before = process.cpuUsage()
    const start = performance.now()
    const run = await rewrite(copy, what)
    run.takeName()
    seconds.push((performance.now() - start) / 1e3)
    const { user, system } = process.cpuUsage(before)
    cpu.push((user + system) / 1e6)
    fs.rmSync(copy, { recursive: true })
  }
  console.log(
    `128 MiB, half ${what}, written anew: ${median(seconds).toFixed(2)} s (${spread(seconds)}), processor time ${median(cpu).toFixed(2)} s (${spread(cpu)})`,
  )
}

async function rewriteOnAndOn({ directory, words }) {
  const flags = new Int32Array(words)
  for (;;) {
    Atomics.wait(flags, 0, 0)
    if (Atomics.load(flags, 0) < 0) return
    const run = await rewrite(directory, 'dead')
    // The same again: what is measured goes on for as long as it takes.
    run.discard()
  }
}

/** Appends with a thread beside them that writes segments anew, and without, in turns. */
async function compareAppends(workspace, { directory }, rounds) {
  const words = new SharedArrayBuffer(4)
  const flags = new Int32Array(words)
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { directory, words } })
  const log = await open(path.join(workspace, 'appends'), { segmentBytes, retention: { maxBytes: 512 * mebibyte } })
  const topic = log.topic('t')
  const value = new Uint8Array(100)
  const window = async () => {
    let count = 0
    const start = performance.now()
    while (performance.now() - start < 2_000)
      for (let some = 0; some < 1_000; some++, count++) while (!topic.offer(value)) await topic.ready()
    await log.flush()
    return count / (performance.now() - start)
  }
  await window()
  const rates = { beside: [], alone: [] }
  for (let round = 0; round < rounds; round++)
    for (const which of ['alone', 'beside']) {
      Atomics.store(flags, 0, which === 'beside' ? 1 : 0)
      Atomics.notify(flags, 0)
      rates[which].push(await window())
    }
  Atomics.store(flags, 0, -1)
  Atomics.notify(flags, 0)
  await log.close()
  await new Promise((resolve) => worker.once('exit', resolve))
  const ratios = rates.beside.map((rate, round) => rate / rates.alone[round])
  console.log(
    `appends of 100 B: ${(median(rates.alone) / 1e3).toFixed(2)} M/s alone, ${(median(rates.beside) / 1e3).toFixed(2)} M/s beside: ${median(ratios).toFixed(2)} (${spread(ratios)})`,
  )
}

/** One message in twenty is of a topic that nobody has consumed; the others are wanted for a while only. */
async function drawDisk(workspace, megabytes, picture) {
  const lines = {}
  for (const [name, minDirty] of [
    ['without', 1],
    ['with', 0.5],
  ]) {
    const directory = path.join(workspace, name)
    const log = await open(directory, { segmentBytes: 4 * mebibyte, retention: { maxBytes: 65_536, minDirty } })
    const slow = log.topic('slow', { retention: { minDirty } })
    const busy = Array.from({ length: 100 }, (_, index) => log.topic(`busy-${index}`))
    const value = new Uint8Array(1_000)
    const samples = [0]
    const perSample = (megabytes * 1e6) / 80
    for (let bytes = 0, count = 0; bytes < megabytes * 1e6; bytes += value.length, count++) {
      const topic = count % 20 === 0 ? slow : busy[count % 100]
      while (!topic.offer(value)) await topic.ready()
      if (Math.floor(bytes / perSample) < samples.length) continue
      await log.flush('disk')
      // An hour of a calm log in some seconds.
      await sleep(250)
      samples.push(diskBytes(path.join(directory, 'log')))
    }
    lines[name] = samples
    console.log(`${name} it: ${(samples.at(-1) / 1e6).toFixed(0)} MB on the disk behind ${megabytes} MB of messages`)
    await log.close()
  }
  if (picture !== '') fs.writeFileSync(picture, drawing(lines, megabytes))
}

function diskBytes(directory) {
  let bytes = 0
  for (const name of fs.readdirSync(directory))
    try {
      bytes += 512 * fs.statSync(path.join(directory, name)).blocks
    } catch {
      // Deleted meanwhile.
    }
  return bytes
}

function drawing(lines, megabytes) {
  const [width, height, left, bottom] = [640, 320, 60, 40]
  const most = Math.max(...Object.values(lines).flat())
  const x = (index, count) => left + ((width - left - 20) * index) / (count - 1)
  const y = (bytes) => height - bottom - ((height - bottom - 20) * bytes) / most
  const colours = { without: '#b3402e', with: '#2e6fb3' }
  const drawn = Object.entries(lines).map(([name, samples]) => {
    const points = samples.map((bytes, index) => `${x(index, samples.length).toFixed(1)},${y(bytes).toFixed(1)}`)
    const last = samples.length - 1
    const label = `${name} rewriting: ${(samples[last] / 1e6).toFixed(0)} MB`
    return `  <polyline fill="none" stroke="${colours[name]}" stroke-width="2" points="${points.join(' ')}"/>
  <text x="${x(last, samples.length)}" y="${Math.max(14, y(samples[last]) - 6)}" text-anchor="end" fill="${colours[name]}">${label}</text>`
  })
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `  <text x="${left - 8}" y="${y(share * most) + 4}" text-anchor="end">${((share * most) / 1e6).toFixed(0)}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
  <title>Disk in use over time, one slow topic among a hundred busy ones</title>
  <rect width="${width}" height="${height}" fill="#fff"/>
  <path d="M${left} 20V${height - bottom}H${width - 20}" fill="none" stroke="#888"/>
${ticks.join('\n')}
  <text x="${left}" y="14">MB on the disk</text>
  <text x="${width - 20}" y="${height - 12}" text-anchor="end">messages appended, to ${megabytes} MB</text>
${drawn.join('\n')}
</svg>
`
}
