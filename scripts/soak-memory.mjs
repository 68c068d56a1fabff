#!/usr/bin/env node
// A log far larger than memory, in a control group that counts the page cache too: write it, read it all, read at random, drain it as
// a queue, leave it alone. Prints anonymous memory over time, mappings and page tables at each stage, and kills by the kernel.
// Needs root, a memory control group (version 1 or 2) and the built product: npm run soak:memory -- --gigabytes 10
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const usage = `Usage: npm run soak:memory -- [--gigabytes 10] [--megabytes 128] [--message-bytes 1000] [--segment-mib 64] [--dir DIR]

  --gigabytes      payload written
  --megabytes      limit of the control group, page cache included
  --dir            where the log is made (and removed again); on a real disk, not on tmpfs`

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '10' },
    megabytes: { type: 'string', default: '128' },
    'message-bytes': { type: 'string', default: '1000' },
    'segment-mib': { type: 'string', default: '64' },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', short: 'h', default: false },
    child: { type: 'string' },
  },
})
const messageBytes = Number(values['message-bytes'])
const messages = Math.ceil((Number(values.gigabytes) * 1e9) / messageBytes)
const megabyte = 1e6

if (values.help) console.log(usage)
else if (values.child !== undefined) await work(values.child)
else process.exitCode = await watch()

/** The parent: makes the group, starts the work in it, samples what the kernel counts. */
async function watch() {
  const { MemoryGroup } = await import(new URL('../dist/bench/memory-group.js', import.meta.url).href)
  const group = MemoryGroup.create(Number(values.megabytes) * 1024 ** 2)
  if (group === undefined) {
    console.error('no memory control group to be had: run as root, with the memory controller mounted')
    return 2
  }
  const directory = mkdtempSync(join(values.dir, 'bookend-soak-'))
  const self = fileURLToPath(import.meta.url)
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      'echo $$ > "$0/cgroup.procs" && exec "$@"',
      group.path,
      process.execPath,
      self,
      ...process.argv.slice(2),
      '--child',
      directory,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })))
  const start = Date.now()
  const seconds = () => ((Date.now() - start) / 1000).toFixed(0).padStart(5)
  let stage = { name: 'start', least: Number.POSITIVE_INFINITY, most: 0 }
  let highest = 0
  let isRunning = true
  const sampling = (async () => {
    while (isRunning) {
      const anonymous = group.anonymousBytes()
      highest = Math.max(highest, anonymous)
      stage.least = Math.min(stage.least, anonymous)
      stage.most = Math.max(stage.most, anonymous)
      await sleep(200)
    }
  })()
  const close = () =>
    console.log(
      `${seconds()} s  ${stage.name}: anonymous ${(stage.least / megabyte).toFixed(0)} to ${(stage.most / megabyte).toFixed(0)} MB`,
    )
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    rest += text
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end)
      rest = rest.slice(end + 1)
      if (line.startsWith('stage ')) {
        if (stage.name !== 'start') close()
        stage = { name: line.slice(6), least: Number.POSITIVE_INFINITY, most: 0 }
      } else console.log(`${seconds()} s    ${line}`)
    }
  })
  const { code, signal } = await ended
  isRunning = false
  await sampling
  close()
  const kills = group.kills()
  console.log(
    `anonymous at most ${(highest / megabyte).toFixed(0)} MB of ${values.megabytes} MiB, kills by the kernel: ${kills}, ended with ${signal ?? code}`,
  )
  rmSync(directory, { recursive: true, force: true })
  await group.remove()
  return code === 0 && kills === 0 ? 0 : 1
}

/** The child, inside the group. */
async function work(directory) {
  const { open } = await import(new URL('../dist/src/index.js', import.meta.url).href)
  const mapTtlMs = 1_000
  const options = { segmentBytes: Number(values['segment-mib']) << 20, mapTtlMs, readers: 1 }
  const say = (text) => console.log(text)
  const memory = () => {
    const status = readFileSync('/proc/self/status', 'utf8')
    const kilobytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
    const maps = readFileSync('/proc/self/maps', 'utf8').split('\n')
    const segments = maps.filter((line) => line.endsWith('.seg')).length
    return `maps ${maps.length - 1} (${segments} of segments), VmRSS ${(kilobytes('VmRSS') / 1024).toFixed(1)} MiB, VmPTE ${kilobytes('VmPTE')} KiB`
  }
  const idle = async () => {
    await sleep(3 * mapTtlMs)
    return memory()
  }
  const timed = async (name, act) => {
    say(`stage ${name}`)
    const start = performance.now()
    await act()
    const seconds = (performance.now() - start) / 1000
    say(`${name}: ${seconds.toFixed(1)} s, ${memory()}`)
  }
  const value = (offset) => {
    const bytes = new Uint8Array(messageBytes).fill(offset % 251)
    new DataView(bytes.buffer).setFloat64(0, offset, true)
    return bytes
  }
  const check = (offset, bytes) => {
    const isRight =
      bytes.length === messageBytes &&
      new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true) === offset &&
      bytes[messageBytes - 1] === offset % 251
    if (!isRight) throw new Error(`message ${offset} has other bytes`)
  }
  const log = await open(directory, options)
  const topic = log.topic('soak')
  check(0, value(0))
  await topic.append(value(0))
  say(`log of one message, idle: ${await idle()}`)
  await timed('write', async () => {
    for (let offset = 1; offset < messages; offset++) {
      const bytes = value(offset)
      while (!topic.offer(bytes)) await topic.ready()
    }
    await log.flush('disk')
  })
  await timed('read all', async () => {
    let next = 0
    for await (const message of topic.read()) check(next++, message.value)
    if (next !== messages) throw new Error(`${next} of ${messages} messages`)
  })
  await timed('read at random', async () => {
    for (let round = 0; round < 200; round++) {
      const offsets = Array.from({ length: 20 }, () => Math.floor(Math.random() * messages))
      for (const message of await topic.getMany(offsets)) check(message.offset, message.value)
    }
  })
  say('stage idle, full')
  say(`idle with ${log.stats().segments.total} segments: ${await idle()}`)
  await timed('drain', async () => {
    const drained = log.topic('soak', { retention: { consumed: true } })
    let next = 0
    for await (const delivery of drained.group('drain').consume()) {
      check(delivery.offset, delivery.value)
      // Not awaited: acknowledgements of one turn are committed together.
      const acknowledged = delivery.ack()
      if (++next === messages) {
        await acknowledged
        break
      }
    }
    const end = Date.now() + 60_000
    while (log.stats().segments.oldestKeptBecause !== 'active' && Date.now() < end) await sleep(50)
  })
  const { total, deleted } = log.stats().segments
  say('stage idle, drained')
  say(`${deleted} segments deleted, ${total} left, idle: ${await idle()}`)
  await log.close()
}
