/**
 * Runs the fault tests, two at a time, each in a process of its own, and prints one table.
 *
 *   node dist/test/faults/main.js [--root | --jetstream] [--seed N] [--only NAME] [--scale F] [--minutes M] [--first-failure] [--limit SECONDS] [--once-more] [--list]
 *
 * Every fault draws what it does from the seed. Where real threads and processes take part, the seed replays the moments at which
 * they are hit, not what they were doing then.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { Context, endAtFirstFailure, type Fault, FirstFailure, messageOf, type Row } from './fault.js'
import { FaultProcess } from './fault-process.js'
import { faults } from './faults.js'
import { isGood, tableOf } from './table.js'

interface Options {
  root: boolean
  jetstream: boolean
  seed: number
  scale: number
  minutes?: number
  only?: string[]
  firstFailure: boolean
  limit?: number
  onceMore: boolean
  list: boolean
  /** In the process of one fault. */
  run?: string
}

function number(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('a number, 0 or more')
  return value
}

const options = new Command('faults')
  .option('--root', 'the faults that need root, loop devices and file system tools', false)
  .option('--jetstream', 'the faults of logs on NATS servers, which it starts', false)
  .option('--seed <n>', 'replay a run', number, Math.floor(Date.now() % 1_000_000))
  .option('--scale <factor>', 'times the usual number of runs', number, 1)
  .option('--minutes <n>', 'run each fault for so long instead', number)
  .option('--only <name...>', 'these faults only')
  .option('--first-failure', 'end a fault at its first failure', false)
  .option('--limit <seconds>', 'end a fault that takes longer: it hangs', number)
  .option('--once-more', 'repeat faults that failed; what passes then is named, and is no failure', false)
  .option('--list', 'name the faults', false)
  .option('--run <name>', 'used by the runner itself')
  .parse()
  .opts<Options>()

if (options.run !== undefined) await runOne(options.run)
else process.exitCode = await runAll()

async function runOne(name: string): Promise<void> {
  const fault = faults.find((one) => one.name === name) as Fault
  const scratch = mkdtempSync(path.join(process.env.BOOKEND_SCRATCH ?? os.tmpdir(), `bookend-faults-${name}-`))
  const memory = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'bookend-faults-'))
  try {
    const context = new Context(options.seed, options.scale, options.minutes, scratch, memory)
    if (options.firstFailure) endAtFirstFailure()
    const rows = await fault.run(context).catch((error: unknown) => {
      if (error instanceof FirstFailure) return [error.row]
      throw error
    })
    process.send?.(rows)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
    rmSync(memory, { recursive: true, force: true })
  }
  // Should a thread of a log that could not be closed still be there.
  process.disconnect?.()
  setTimeout(() => process.exit(), 1_000).unref()
}

function startOne(fault: Fault): Promise<Row[]> {
  const args = ['--run', fault.name, '--seed', String(options.seed), '--scale', String(options.scale)]
  if (options.minutes !== undefined) args.push('--minutes', String(options.minutes))
  if (options.firstFailure) args.push('--first-failure')
  return new FaultProcess(fault.name, args, options.limit).rows
}

async function runAll(): Promise<number> {
  const chosen = faults.filter(({ name, isRoot, needsServers = false }) =>
    options.only === undefined
      ? isRoot === options.root && needsServers === options.jetstream
      : options.only.includes(name),
  )
  if (options.list) {
    for (const { name, isRoot } of faults) console.log(`${name}${isRoot ? ' (root)' : ''}`)
    return 0
  }
  if (chosen.length === 0) throw new Error(`no such fault: ${options.only}; --list names them`)
  console.log(`seed ${options.seed}, scale ${options.scale}, node ${process.version}, ${os.type()} ${os.release()}`)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      FaultProcess.endAll(signal)
      process.exit(1)
    })
  }
  const results = await runEach(chosen)
  if (options.onceMore) await repeatFailed(results)
  const rows = chosen.flatMap((fault) => results.get(fault) ?? [])
  tellFailures('FAILED', rows)
  const bad = rows.filter((row) => !isGood(row))
  console.log(`\n${tableOf(rows)}\n`)
  console.log(`seed ${options.seed}: ${rows.length - bad.length} of ${rows.length} rows as promised`)
  return bad.length === 0 ? 0 : 1
}

async function runEach(chosen: readonly Fault[]): Promise<Map<Fault, Row[]>> {
  const waiting = [...chosen].sort((a, b) => b.weight - a.weight)
  const results = new Map<Fault, Row[]>()
  // Root faults own mounts and devices, and what they measure is the device: one at a time.
  const lanes = chosen.some(({ isRoot }) => isRoot) ? 1 : 2
  const lane = async () => {
    for (let fault = waiting.shift(); fault !== undefined; fault = waiting.shift()) {
      results.set(fault, await startOne(fault))
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return results
}

/** The last result of each fault is what counts. */
async function repeatFailed(results: Map<Fault, Row[]>): Promise<void> {
  const failed = [...results].filter(([, rows]) => !rows.every(isGood))
  for (const [fault, rows] of await runEach(failed.map(([fault]) => fault))) {
    if (rows.every(isGood))
      tellFailures('PASSED ONLY WHEN REPEATED, which is a defect to be found:', results.get(fault))
    results.set(fault, rows)
  }
}

function tellFailures(verdict: string, rows: readonly Row[] = []): void {
  for (const row of rows) {
    for (const failure of row.failures.slice(0, 5)) console.log(`${verdict} ${row.what}: ${failure.slice(0, 400)}`)
    if (row.failures.length > 5) console.log(`${verdict} ${row.what}: and ${row.failures.length - 5} more`)
  }
}

process.on('unhandledRejection', (error) => {
  console.error(`FAILED: ${messageOf(error)}`)
  process.exit(2)
})
