#!/usr/bin/env node
// What packing saves, and what it costs who reads: lines of text in a log as it is and in the same log packed; one reader thread, rounds in turn,
// medians. Then both from the device, their files taken out of the page cache before each round. Needs the built product.
// npm run bench:packing -- [DIR] [MEBIBYTES] [CODEC] [FILE of lines ...]; without a file: lines as servers write them
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import koffi from 'koffi'
import { open, text } from '../dist/src/index.js'

const [parent = os.tmpdir(), mebibytes = '256', codec = 'auto', ...files] = process.argv.slice(2)
const segmentBytes = 32 << 20
/** Of whole segments. */
const bytes = Math.ceil((Number(mebibytes) * 2 ** 20) / segmentBytes) * segmentBytes
const rounds = 5
const workspace = fs.mkdtempSync(path.join(parent, 'bookend-packing-'))
const counting = pathToFileURL(path.join(workspace, 'count.mjs'))
fs.writeFileSync(counting, 'export const map = (batch) => batch.length\nexport const reduce = (a, b) => a + b\n')
/** Looks at each message, as who searches text does, and makes nothing of it. */
const looking = pathToFileURL(path.join(workspace, 'look.mjs'))
fs.writeFileSync(
  looking,
  `export function map(batch) {
  let found = 0
  batch.forEach((bytes, start, end) => {
    if (Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).includes('ERROR')) found += 1
  })
  return found
}
export const reduce = (a, b) => a + b
`,
)
const logs = { raw: path.join(workspace, 'raw'), packed: path.join(workspace, 'packed') }

try {
  console.log(
    `${os.cpus()[0]?.model}, ${os.availableParallelism()} cores, Linux ${os.release()}, Node ${process.version}`,
  )
  const count = await fill(logs.raw)
  fs.cpSync(logs.raw, logs.packed, { recursive: true })
  await pack(logs.packed)
  await compare(count, false)
  if (isInMemory(workspace)) console.log(`not measured from the device: ${workspace} is in memory`)
  else await compare(count, true)
} finally {
  fs.rmSync(workspace, { recursive: true, force: true })
}

function* lines() {
  if (files.length > 0)
    for (;;)
      for (const file of files)
        for (const line of fs.readFileSync(file, 'utf8').split('\n')) if (line !== '') yield line
  let at = Date.UTC(2026, 0, 1)
  const random = (below) => Math.floor(Math.random() * below)
  for (;;) {
    at += random(40)
    const client = `10.${random(4)}.${random(256)}.${random(256)}:${1024 + random(60_000)}`
    const what = ['GET /orders', 'GET /orders/items', 'POST /orders', 'PUT /basket', 'GET /health'][random(5)]
    yield `${new Date(at).toISOString()} INFO http[${random(9)}] ${client} "${what}/${random(1e6)} HTTP/1.1" ${[200, 200, 200, 304, 404][random(5)]} ${random(1e5)} ${random(900)}ms`
  }
}

async function fill(directory) {
  const log = await open(directory, { segmentBytes })
  const topic = log.topic('lines', { codec: text })
  let count = 0
  let batch = []
  // What is read is in sealed segments alone.
  for (const line of lines()) {
    batch.push(line)
    if (batch.length < 500) continue
    await topic.appendMany(batch)
    if (log.stats().positions.published >= bytes) break
    count += batch.length
    batch = []
  }
  await log.close()
  return count
}

async function pack(directory) {
  const before = diskBytes(directory)
  const started = performance.now()
  const log = await open(directory, { segmentBytes, compress: { afterMs: 0, codec } })
  const sealed = async () => (await log.segments({ limit: 10_000 })).filter(({ state }) => state === 'sealed')
  let segments = await sealed()
  while (segments.some(({ packed }) => packed === undefined)) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    segments = await sealed()
  }
  const seconds = (performance.now() - started) / 1000
  await log.close()
  const ratio = segments.reduce((sum, { packed }) => sum + packed.ratio, 0) / segments.length
  const mib = (count) => `${(count / 2 ** 20).toFixed(0)} MiB`
  console.log(
    `${segments.length} segments packed with ${segments[0].packed.codec}: ${ratio.toFixed(1)} times smaller, ${mib(before)} to ${mib(diskBytes(directory))} on the disk, ` +
      `${((segments.length * segmentBytes) / 1e6 / seconds).toFixed(0)} MB/s`,
  )
}

/** Both logs, in turn. */
async function compare(count, isCold) {
  const opened = {}
  for (const [name, directory] of Object.entries(logs))
    opened[name] = await open(directory, { readOnly: true, readers: 1 })
  const figures = {}
  const take = async (name, what, messages, run) => {
    if (isCold) dropFromCache(logs[name])
    const cpu = process.cpuUsage()
    const started = performance.now()
    await run()
    const ms = performance.now() - started
    const { user, system } = process.cpuUsage(cpu)
    figures[what] ??= { raw: [], packed: [] }
    figures[what][name].push({ ms, cpuMs: (user + system) / 1000, messages })
  }
  const offsets = Array.from({ length: isCold ? 100 : 1000 }, () => Math.floor(Math.random() * count))
  for (let round = -1; round < rounds; round++) {
    for (const [name, log] of Object.entries(opened)) {
      const topic = log.topic('lines', { codec: text })
      await take(name, 'scan that counts', count, () => topic.scan(counting, { to: count }))
      if (!isCold) await take(name, 'scan that looks for a word', count, () => topic.scan(looking, { to: count }))
      if (!isCold)
        await take(name, 'stream', count, async () => {
          let seen = 0
          for await (const messages of topic.read({ to: count }).batches()) seen += messages.length
          if (seen !== count) throw new Error(`${seen} messages of ${count}`)
        })
      await take(name, 'get of random offsets', offsets.length, async () => {
        for (const offset of offsets) await topic.get(offset)
      })
    }
    // The first one finds out where everything is.
    if (round < 0) for (const what of Object.keys(figures)) delete figures[what]
  }
  for (const log of Object.values(opened)) await log.close()
  for (const [what, { raw, packed }] of Object.entries(figures)) {
    const ratio = middle(raw, 'ms') / middle(packed, 'ms')
    const of = (all) =>
      `${middle(all, 'ms').toFixed(0)} ms (${least(all).toFixed(0)}-${most(all).toFixed(0)}), processor ${middle(all, 'cpuMs').toFixed(0)} ms`
    console.log(
      `${isCold ? 'from the device: ' : ''}${what}: raw ${of(raw)}; packed ${of(packed)}: ${ratio.toFixed(2)} times the rate`,
    )
  }
  if (isCold) {
    const ms = middle(figures['scan that counts'].raw, 'ms')
    console.log(`the device gave ${(bytes / 1e3 / ms).toFixed(0)} MB/s to the scan of what is not packed`)
  }
}

function middle(all, figure) {
  return all.map((one) => one[figure]).sort((a, b) => a - b)[all.length >> 1]
}

function least(all) {
  return Math.min(...all.map(({ ms }) => ms))
}

function most(all) {
  return Math.max(...all.map(({ ms }) => ms))
}

function segmentsOf(directory) {
  const folder = path.join(directory, 'log')
  return fs.readdirSync(folder).map((name) => path.join(folder, name))
}

function diskBytes(directory) {
  return segmentsOf(directory).reduce((sum, file) => sum + fs.statSync(file).blocks * 512, 0)
}

function isInMemory(folder) {
  return fs.statfsSync(folder).type === 0x01021994
}

function dropFromCache(directory) {
  const advise = koffi.load(null).func('int posix_fadvise(int, int64_t, int64_t, int)')
  for (const file of segmentsOf(directory)) {
    const descriptor = fs.openSync(file, 'r')
    advise(descriptor, 0, 0, 4)
    fs.closeSync(descriptor)
  }
}
