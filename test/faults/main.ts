/**
 * Runs the fault tests, two at a time, each in a process of its own, and prints one table.
 *
 *   node dist/test/faults/main.js [--root | --jetstream] [--seed N] [--only NAME] [--scale F] [--minutes M] [--first-failure] [--list]
 *
 * Every fault draws what it does from the seed. Where real threads and processes take part, the seed replays the moments at which
 * they are hit, not what they were doing then.
 */
import { fork } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { Context, endAtFirstFailure, type Fault, FirstFailure, messageOf, type Row } from './fault.js'
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
  const started = performance.now()
  return new Promise((resolve) => {
    let rows: Row[] | undefined
    const child = fork(process.argv[1], args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    child.once('message', (message) => {
      rows = message as Row[]
    })
    child.once('exit', (status, signal) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(0)
      process.stderr.write(`${fault.name}: ${seconds} s\n`)
      const crashed = { what: fault.name, runs: 1, failures: [`ended with ${signal ?? status}, without a result`] }
      resolve(rows ?? [crashed])
    })
  })
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
  const rows = chosen.flatMap((fault) => results.get(fault) ?? [])
  for (const row of rows) {
    for (const failure of row.failures.slice(0, 5)) console.log(`FAILED ${row.what}: ${failure.slice(0, 400)}`)
    if (row.failures.length > 5) console.log(`FAILED ${row.what}: and ${row.failures.length - 5} more`)
  }
  const bad = rows.filter((row) => !isGood(row))
  console.log(`\n${tableOf(rows)}\n`)
  console.log(`seed ${options.seed}: ${rows.length - bad.length} of ${rows.length} rows as promised`)
  return bad.length === 0 ? 0 : 1
}

process.on('unhandledRejection', (error) => {
  console.error(`FAILED: ${messageOf(error)}`)
  process.exit(2)
})
