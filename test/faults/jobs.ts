/**
 * Random programmes of jobs: queues whose workers are functions, modules or functions of another thread, with handlers that throw, hang, end their thread or the process and
 * eat its memory, while workers are paused, stopped and ended, and the process is killed. Every call says what it does before it does it, in a file that outlives all that.
 * Must: every job that was pushed is done, or a dead letter; attempts are counted over restarts, one for each call that failed, and none for what was cut short; a letter comes
 * with the last attempt, and once; none is run again once it is done, or while it runs.
 *
 * Mutants it catches: attempts that are not counted over restarts, pauses of functions that are attempts, retries that are not scheduled with their acknowledgement.
 */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { open } from '../../src/index.js'
import type { Seeded } from '../support/seeded.js'
import { type Context, emptyRow, type Fault, type Row } from './fault.js'
import { faultsOf, type Job, type JobQueue } from './job-model.js'

const program = fileURLToPath(new URL('../../../test/faults/programs/jobs.mjs', import.meta.url))
/** In one log, and killed together. */
const queuesPerLog = 10
/** A process that a job has ended is started again. */
const maxLives = 40
/** Nothing that is planned takes so long. */
const endlessMs = 120_000

export const jobs: Fault = {
  name: 'jobs',
  isRoot: false,
  weight: 40,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('random programmes of jobs, with kills')
    Object.assign(row, { acknowledged: 0, lost: 0, duplicates: 0, wrong: 0 })
    for (let log = 0; context.more(row.runs, 20); log++) await live(row, context, log)
    return [row]
  },
}

async function live(row: Row, context: Context, number: number): Promise<void> {
  const seed = context.random(50).below(1 << 30) + number
  const random = context.random(seed)
  const lives = 1 + random.below(3)
  const queues = Array.from({ length: queuesPerLog }, (_, index) => queueOf(random, index, lives))
  const directory = path.join(context.scratch, `jobs-${number}`)
  const [lines, plan] = ['lines', 'plan'].map((name) => path.join(context.acknowledgements, `jobs-${number}-${name}`))
  writeFileSync(lines, '')
  writeFileSync(plan, JSON.stringify({ queues, lives }))
  let life = 0
  for (; life < maxLives; life++) {
    const child = spawn(process.execPath, [program, directory, lines, plan, String(life)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (text: Buffer) => {
      // The beginning: what has ended it stands above the stack.
      said = (said + text).slice(0, 2_000)
    })
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    if (life < lives) {
      // It has something to lose.
      while (
        !readFileSync(lines, 'utf8').includes(`lives ${life} `) &&
        child.exitCode === null &&
        child.signalCode === null
      )
        await pause(10)
      await pause(random.below(200))
      child.kill('SIGKILL')
      await ended
      if (child.signalCode !== null && child.signalCode !== 'SIGKILL')
        row.failures.push(`log ${number}, seed ${seed}: ended by ${child.signalCode}, and said: ${said}`)
    } else {
      const late = setTimeout(() => child.kill('SIGKILL'), endlessMs)
      const code = await ended
      clearTimeout(late)
      if (code === 0) break
      if (child.signalCode !== null) {
        row.failures.push(`log ${number}, seed ${seed}: ended by ${child.signalCode}, and said: ${said}`)
        break
      }
    }
  }
  if (life === maxLives) row.failures.push(`log ${number}, seed ${seed}: its jobs come to no end`)
  await judge(row, directory, readFileSync(lines, 'utf8'), queues, `log ${number}, seed ${seed}`)
  row.runs += queuesPerLog
}

function queueOf(random: Seeded, index: number, lives: number): JobQueue {
  const kind = random.pick(['function', 'module', 'thread'] as const)
  const retries = random.below(4)
  const failures = { function: ['hangs', 'exits'], module: ['hangs', 'blocks', 'exits', 'eats'], thread: ['hangs'] }[
    kind
  ]
  const what = (): string => (random.chance(0.8) ? 'throws' : random.pick(failures))
  const job = (number: number): Job => {
    const length = random.chance(0.5) ? 0 : random.below(retries + 3)
    const plan = Array.from({ length }, what)
    return {
      number,
      plan: random.chance(0.4) ? [...plan, 'waits'] : plan,
      delayMs: random.chance(0.2) ? random.below(60) : 0,
    }
  }
  const jobs = Array.from({ length: lives + 1 }, (_, life) =>
    Array.from({ length: random.below(15) }, (_, number) => job(life * 100 + number)),
  )
  return {
    ...{ name: `q${index}`, kind, jobs, pauseMs: 5 + random.below(40) },
    options: {
      ...{ retries, backoffMs: 1 + random.below(10), timeoutMs: 400, deadLetter: `failed-q${index}` },
      concurrency: 1 + random.below(4),
      ...(kind === 'module' && { batchSize: 1, maxHeapMb: 32 }),
    },
  }
}

async function judge(
  row: Row,
  directory: string,
  lines: string,
  queues: readonly JobQueue[],
  where: string,
): Promise<void> {
  const log = await open(directory, { readers: 1 })
  for (const queue of queues) {
    const letters = (await log.deadLetters(queue.options.deadLetter).list()).map(({ attempts, value }) => {
      const { number } = JSON.parse(Buffer.from(value).toString()) as Job
      return { number, attempts }
    })
    const { pushed, lost, twice, wrong } = faultsOf(queue, lines, letters)
    row.acknowledged = (row.acknowledged ?? 0) + pushed
    row.lost = (row.lost ?? 0) + lost.length
    row.duplicates = (row.duplicates ?? 0) + twice.length
    row.wrong = (row.wrong ?? 0) + wrong.length
    for (const what of [...lost, ...twice, ...wrong]) row.failures.push(`${where}, ${queue.kind}: ${what}`)
  }
  if (log.stats().errors.count > 0) row.failures.push(`${where}: ${log.stats().errors.last}`)
  await log.close()
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
