/**
 * Scheduled messages. Random lives over a log in memory, which is cut at every step of scheduling, cancelling, choosing and delivering, while the clock jumps; and `kill -9` of a
 * process that schedules, cancels what is about to be delivered, and delivers. Must: each is delivered once, in the order of due times, or was cancelled; what `cancel` has said holds;
 * so it does where pages cannot be read for a moment.
 *
 * Mutants it catches: no closing clock, what is under way not waited for, the mark in a transaction of its own, cancels that are not guarded, a run that ends with its page, what is
 * delivered out of turn not cancelled, a tail that passes it, and going on with a part where choosing has failed.
 */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { open, text } from '../../src/index.js'
import { liveScheduled } from '../support/later-lives.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

const program = fileURLToPath(new URL('../../../test/faults/programs/schedules.mjs', import.meta.url))
/** So many kills has one log, then it is judged. */
const killsPerLog = 6

export const schedules: Fault = {
  name: 'schedules',
  isRoot: false,
  weight: 30,
  async run(context: Context): Promise<Row[]> {
    return [await lives(context.part(2)), await kills(context.part(1))]
  },
}

async function lives(context: Context): Promise<Row> {
  const row = emptyRow('scheduled messages, cut at every step, clocks that jump')
  row.acknowledged = 0
  const first = context.random(40).below(1 << 30)
  for (; context.more(row.runs, 3_000) && row.failures.length === 0; row.runs++)
    try {
      row.acknowledged += await liveScheduled(first + row.runs)
    } catch (error) {
      row.failures.push(`seed ${first + row.runs}: ${messageOf(error)}`)
    }
  return row
}

async function kills(context: Context): Promise<Row> {
  const row = emptyRow('scheduled messages, kill -9')
  Object.assign(row, { acknowledged: 0, lost: 0, duplicates: 0, wrong: 0 })
  const random = context.random(41)
  for (let log = 0; context.more(row.runs, 24); log++) {
    const directory = path.join(context.scratch, `schedules-${log}`)
    const said = path.join(context.acknowledgements, `schedules-${log}`)
    writeFileSync(said, '')
    for (let kill = 0; kill < killsPerLog && context.more(row.runs, 24); kill++) {
      const lines = readFileSync(said, 'utf8').length
      const child = spawn(process.execPath, [program, directory, said, String(random.below(1 << 30))], {
        stdio: 'inherit',
      })
      const ended = new Promise((resolve) => child.once('exit', resolve))
      // It has something to lose, unless it is killed while it opens.
      const isEarly = kill > 0 && random.chance(0.2)
      while (!isEarly && readFileSync(said, 'utf8').length === lines && child.exitCode === null) await pause(10)
      await pause(random.below(250))
      if (child.exitCode !== null) row.failures.push(`ended by itself with ${child.exitCode}`)
      child.kill('SIGKILL')
      await ended
      row.runs += 1
    }
    await judge(row, directory, readFileSync(said, 'utf8'))
  }
  return row
}

/** Lines are `scheduled N [DUE ID]`, `cancels N`, `cancelled N`, `refused N`; of what was cut short by the kill nothing is known. */
async function judge(row: Row, directory: string, said: string): Promise<void> {
  const log = await open(directory, { readers: 1 })
  const start = performance.now()
  while ((await log.scheduled()).length > 0) {
    if (performance.now() - start > 60_000) row.failures.push('something waits for ever')
    if (row.failures.length > 0) break
    await pause(20)
  }
  const times = new Map<string, number>()
  const inOrder: string[] = []
  for await (const { value } of log.topic('t', { codec: text }).read()) {
    times.set(value, (times.get(value) ?? 0) + 1)
    inOrder.push(value)
  }
  for (const count of times.values()) if (count > 1) row.duplicates = (row.duplicates ?? 0) + 1
  // Whole lines: the last one may be cut.
  const lines = said
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' '))
  checkOrder(row, inOrder, lines)
  const numbersOf = (word: string) => new Set(lines.flatMap(([said, number]) => (said === word ? number : [])))
  const [cancelled, asked] = [numbersOf('cancelled'), numbersOf('cancels')]
  const refused = numbersOf('refused')
  for (const number of numbersOf('scheduled')) {
    row.acknowledged = (row.acknowledged ?? 0) + 1
    const isDelivered = times.has(number)
    if (cancelled.has(number) && isDelivered) row.wrong = (row.wrong ?? 0) + 1
    const isExpected = refused.has(number) || !asked.has(number)
    if (isExpected && !isDelivered) row.lost = (row.lost ?? 0) + 1
  }
  if (log.stats().errors.count > 0) row.failures.push(`errors: ${log.stats().errors.last}`)
  await log.close()
}

/** Of those that have their place: by due times, those of one ms as they were scheduled. */
function checkOrder(row: Row, delivered: readonly string[], lines: readonly string[][]): void {
  const places = new Map(
    lines.flatMap(([said, name, due, id]) => (said === 'scheduled' && id ? [[name, { due, id }]] : [])),
  )
  let last = { due: 0, id: 0 }
  for (const name of delivered) {
    const place = places.get(name)
    if (place === undefined) continue
    const [due, id] = [Number(place.due), Number(place.id)]
    if (due < last.due || (due === last.due && id < last.id))
      row.failures.push(`${name} is delivered behind what is due later`)
    last = { due, id }
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
