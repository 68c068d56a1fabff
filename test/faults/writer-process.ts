/** `programs/writer.mjs` in a process of its own, what it said, and the judgement over what is left of its log. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf, type Row } from './fault.js'
import { verifyLog } from './verify-log.js'

export const root = fileURLToPath(new URL('../../../', import.meta.url))
const program = path.join(root, 'test/faults/programs/writer.mjs')
/** The build that this very file belongs to: a mutant tests itself. */
const product = new URL('../../src/index.js', import.meta.url).href

export interface Said {
  /** Highest number acknowledged, or -1. */
  acknowledged: number
  trimmedTo: number
  /** What a consumer was about to acknowledge, and what it had acknowledged: offsets below these. */
  consuming: number
  consumed: number
  codes: string[]
  isDone: boolean
  /** When the first append succeeded again after one had failed. */
  resumedAt: bigint | undefined
  /** Longest delay of the event loop, where it was measured. */
  delayMs: number
}

export class WriterProcess {
  readonly child: ChildProcess
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>
  readonly #output: string
  #errors = ''

  /** @param output a file on another file system than the log, emptied first: an old one would look like a loss */
  constructor(directory: string, output: string, args: readonly string[], environment: Record<string, string> = {}) {
    this.#output = output
    const descriptor = openSync(output, 'w')
    this.child = spawn(process.execPath, [program, ...args, directory], {
      stdio: ['ignore', descriptor, 'pipe'],
      env: { ...process.env, BOOKEND: product, UV_USE_IO_URING: '0', ...environment },
    })
    closeSync(descriptor)
    this.child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.#errors += text
    })
    this.ended = new Promise((resolve) => this.child.once('close', (status, signal) => resolve({ status, signal })))
  }

  get errors(): string {
    return this.#errors.slice(0, 400)
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  said(): Said {
    const text = readFileSync(this.#output, 'latin1')
    // The last line may be half written.
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
    const said: Said = {
      acknowledged: -1,
      trimmedTo: 0,
      consuming: 0,
      consumed: 0,
      codes: [],
      isDone: false,
      resumedAt: undefined,
      delayMs: 0,
    }
    for (const line of lines) {
      const [word] = line.slice(1).split(' ')
      if (line[0] === 'A') said.acknowledged = Math.max(said.acknowledged, Number(word))
      else if (line[0] === 'T') said.trimmedTo = Math.max(said.trimmedTo, Number(word))
      else if (line[0] === 'g') said.consuming = Math.max(said.consuming, Number(word))
      else if (line[0] === 'G') said.consumed = Math.max(said.consumed, Number(word))
      else if (line[0] === 'F') said.codes.push(word)
      else if (line[0] === 'R') said.resumedAt ??= BigInt(word)
      else if (line[0] === 'L') said.delayMs = Number(word)
      else if (line[0] === 'D') said.isDone = true
    }
    return said
  }

  /** Waits for the first acknowledgement, or for `isEnough`, or the end. */
  async begins(isEnough = ({ acknowledged }: Said) => acknowledged >= 0, limitMs = 20_000): Promise<void> {
    const end = performance.now() + limitMs
    while (!isEnough(this.said()) && !this.hasEnded && performance.now() < end) await pause(5)
  }

  /** @returns true if it had to be killed because it did not end */
  async endsWithin(limitMs: number): Promise<boolean> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.child.kill('SIGKILL')
    }, limitMs)
    await this.ended
    clearTimeout(timer)
    return isLate
  }
}

/** One log over several lives of its owner: what was acknowledged in any of them must be there. */
export class JudgedLog {
  readonly directory: string
  readonly output: string
  #floor = -1
  #trimmedTo = 0
  #consuming = 0
  #consumed = 0

  constructor(directory: string, output: string) {
    this.directory = directory
    this.output = output
    rmSync(directory, { recursive: true, force: true })
  }

  /** Adds what this life left to the row. */
  async judge(row: Row & { recoveryMs: number[] }, said: Said, name: string, mayLoseEnd = false): Promise<void> {
    this.#trimmedTo = Math.max(this.#trimmedTo, said.trimmedTo)
    this.#consuming = Math.max(this.#consuming, said.consuming)
    this.#consumed = Math.max(this.#consumed, said.consumed)
    row.acknowledged = (row.acknowledged ?? 0) + Math.max(0, said.acknowledged - this.#floor)
    row.lost ??= 0
    row.wrong ??= 0
    row.duplicates ??= 0
    row.runs += 1
    // Killed before it had made its log. Looking at it would make one, of other segments.
    if (!existsSync(path.join(this.directory, 'control')) && said.acknowledged < 0) return
    const needed = Math.max(this.#floor, said.acknowledged)
    try {
      const found = await verifyLog(this.directory)
      row.recoveryMs.push(found.openMs)
      row.wrong += found.wrong
      row.duplicates += found.duplicates
      const last = found.first + found.records - 1
      if (last < needed && !mayLoseEnd) {
        row.lost += needed - last
        row.failures.push(`${name}: acknowledged up to ${needed}, found up to ${last}`)
      }
      if (found.first > this.#trimmedTo)
        row.failures.push(`${name}: begins at ${found.first}, trimmed to ${this.#trimmedTo}`)
      const { committed } = found
      if (committed < this.#consumed || committed > Math.max(this.#consuming, found.first))
        row.failures.push(
          `${name}: consumers acknowledged up to ${this.#consumed}, then ${this.#consuming}: the group is at ${committed}`,
        )
      if (found.problem !== undefined) row.failures.push(`${name}: ${found.problem}`)
      if (found.damages > 0) row.failures.push(`${name}: ${found.damages} damages reported`)
      if (found.wrong + found.duplicates > 0) row.failures.push(`${name}: ${JSON.stringify(found)}`)
      this.#floor = last
    } catch (error) {
      row.failures.push(`${name}: does not open: ${messageOf(error)}`)
    }
  }
}

let injector: string | undefined

/** Builds the injector once; undefined where there is no compiler. */
export function buildInjector(scratch: string): string | undefined {
  if (injector !== undefined) return injector
  const library = path.join(scratch, 'inj.so')
  mkdirSync(scratch, { recursive: true })
  try {
    execFileSync('cc', ['-O2', '-shared', '-fPIC', '-o', library, path.join(root, 'test/faults/tools/inj.c'), '-ldl'], {
      stdio: 'ignore',
    })
  } catch {
    return undefined
  }
  injector = library
  return library
}

export function underInjector(
  library: string,
  rules: string,
  pathPart: string,
  trace?: string,
): Record<string, string> {
  return { LD_PRELOAD: library, INJ: rules, INJ_PATH: pathPart, ...(trace === undefined ? {} : { INJ_TRACE: trace }) }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
