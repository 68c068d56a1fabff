#!/usr/bin/env node
// What a process keeps of logs that it has opened and closed again, and of threads that have ended under an open one: resident memory, mappings,
// address space, descriptors and threads, at the beginning, at each tenth, and at the end when the garbage is collected.
// Needs Linux and the built product: npm run thread:ends -- [--cycles 1000] [--ends 2000] [--dir DIR]
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { open } from '../dist/src/index.js'

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '1000' },
    ends: { type: 'string', default: '2000' },
    dir: { type: 'string', default: tmpdir() },
  },
})
const options = { readers: 1, segmentBytes: 1 << 20 }
const folder = mkdtempSync(join(values.dir, 'bookend-ends-'))
try {
  await measure('opened and closed', Number(values.cycles), openAndClose)
  const module = join(folder, 'ends.mjs')
  writeFileSync(module, 'export const map = () => process.exit(1)\nexport const reduce = (a) => a\n')
  const log = await open(join(folder, 'ends'), options)
  await log.topic('t').append(new Uint8Array(1000))
  await measure('ended threads', Number(values.ends), async () => {
    await log
      .topic('t')
      .scan(pathToFileURL(module))
      .catch(() => {})
  })
  await log.close()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function openAndClose() {
  const log = await open(join(folder, 'cycles'), options)
  const topic = log.topic('t')
  await topic.append(new Uint8Array(1000))
  await topic.get(0)
  const { value: delivery } = await topic.group('g').consume().next()
  await delivery.ack()
  await log.close()
}

async function measure(what, count, once) {
  console.log(`${what.padEnd(20)} VmRSS MiB   maps  VmSize MiB  descriptors  threads`)
  // The first ones load modules and fill pools.
  for (let index = 0; index < Math.min(10, count); index++) await once()
  await collected()
  report('10, collected')
  const startMs = performance.now()
  for (let index = 10; index < count; index++) {
    await once()
    if ((index + 1) % Math.ceil(count / 10) === 0) report(`${index + 1}`)
  }
  const perOnceMs = (performance.now() - startMs) / Math.max(1, count - 10)
  await collected()
  report(`${count}, collected`)
  console.log(`${perOnceMs.toFixed(0)} ms each\n`)
}

/** All garbage of this thread, and what its finalizers hold. */
async function collected() {
  const session = new Session()
  session.connect()
  for (let round = 0; round < 3; round++) {
    await session.post('HeapProfiler.collectGarbage')
    await sleep(200)
  }
  session.disconnect()
}

function report(when) {
  const status = readFileSync('/proc/self/status', 'utf8')
  const of = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n').length - 1
  const columns = [of('VmRSS') / 1024, maps, of('VmSize') / 1024, readdirSync('/proc/self/fd').length, of('Threads')]
  console.log(
    `${when.padStart(20)} ${columns.map((value, index) => value.toFixed(0).padStart([9, 6, 11, 12, 8][index])).join(' ')}`,
  )
}
