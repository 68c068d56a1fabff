#!/usr/bin/env node
// What a process keeps of a log that nobody uses any more: writes, reads, scans, looks up at random, then leaves it alone for three TTLs. Beside it
// a process that did the same with a log of one segment, of which the append ring has been all round: its memory is the log's for good.
// Needs Linux and the built product: npm run idle:memory -- [--gigabytes 3] [--segment-mib 64] [--rounds 3] [--dir DIR]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { open } from '../dist/src/index.js'

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '3' },
    'segment-mib': { type: 'string', default: '64' },
    rounds: { type: 'string', default: '3' },
    dir: { type: 'string', default: tmpdir() },
    child: { type: 'string' },
  },
})
const messageBytes = 1000
const mapTtlMs = 1_000
const ringBytes = 8 << 20

if (values.child === undefined) {
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const bytes of [ringBytes * 1.1, Number(values.gigabytes) * 1e9]) {
      const arguments_ = [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--child', `${Math.ceil(bytes)}`]
      const { status } = spawnSync(process.execPath, arguments_, { stdio: 'inherit' })
      if (status !== 0) process.exitCode = 1
    }
  }
} else await work(Number(values.child))

async function work(payloadBytes) {
  const directory = mkdtempSync(join(values.dir, 'bookend-idle-'))
  try {
    const module = join(directory, 'count.mjs')
    writeFileSync(module, 'export const map = (batch) => batch.length\nexport const reduce = (a, b) => a + b\n')
    const log = await open(join(directory, 'log'), {
      segmentBytes: Number(values['segment-mib']) << 20,
      mapTtlMs,
      ringBytes,
      readers: 1,
    })
    const topic = log.topic('t')
    const value = new Uint8Array(messageBytes)
    const messages = Math.ceil(payloadBytes / messageBytes)
    for (let count = messages; count > 0; count--) while (!topic.offer(value)) await topic.ready()
    await log.flush('disk')
    let seen = 0
    for await (const message of topic.read()) seen += message.value.length / messageBytes
    const counted = await topic.scan(pathToFileURL(module))
    for (let round = 0; round < 200; round++) {
      const offsets = Array.from({ length: 20 }, () => Math.floor(Math.random() * messages))
      seen += (await topic.getMany(offsets)).filter((message) => message !== undefined).length
    }
    if (seen !== messages + 4000 || counted !== messages)
      throw new Error(`${seen} and ${counted} of ${messages} messages`)
    const [{ total }, busy] = [log.stats().segments, memory()]
    await sleep(3 * mapTtlMs)
    const idle = memory()
    // The application's own garbage is not the log's.
    const session = new Session()
    session.connect()
    await session.post('HeapProfiler.collectGarbage')
    session.disconnect()
    await sleep(100)
    const label = `${(payloadBytes / 1e9).toFixed(2)} GB, ${total} segments`.padEnd(24)
    console.log(`${label} busy: ${busy}; idle: ${idle}; when the application has collected its garbage: ${memory()}`)
    await log.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function memory() {
  const status = readFileSync('/proc/self/status', 'utf8')
  const kilobytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n').length - 1
  return `${maps} maps, VmRSS ${(kilobytes('VmRSS') / 1024).toFixed(1)} MiB, VmPTE ${kilobytes('VmPTE')} KiB`
}
