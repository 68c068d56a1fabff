/**
 * A burst of readings, taken in without a promise per message and without holding up the event loop.
 *
 *   node examples/telemetry-burst.mjs [directory]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { json, open } from 'bookend'

const burstCount = 200_000
const turnCount = 1_000

const given = process.argv[2]
const directory = given ?? (await mkdtemp(path.join(os.tmpdir(), 'telemetry-')))
const log = await open(directory)
const readings = log.topic('readings', { codec: json })

const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
for (let number = 0; number < burstCount; number++) {
  const reading = { sensor: number % 64, celsius: 20 + (number % 100) / 10 }
  // False: the ring is full and nothing was taken. Wait for room, then offer the same reading again.
  while (!readings.offer(reading)) await readings.ready()
  // A real source has turns of its own; a loop has to give the event loop one from time to time.
  if (number % turnCount === 0) await new Promise(setImmediate)
}
await log.flush('disk')
delay.disable()

console.log(`${log.stats().messages} readings stored and flushed`)
console.log(`longest event loop delay: ${(delay.max / 1e6).toFixed(1)} ms`)

const { next } = await readings.bounds()
const last = await readings.get(next - 1)
console.log(`last reading: offset ${last.offset}, sensor ${last.value.sensor}`)

await log.close()
if (given === undefined) await rm(directory, { recursive: true })
