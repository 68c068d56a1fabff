/** What the scenario tests share: folders, logs that are closed for sure, conditions to wait for, child programs. */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { BookendError, type Log, type OpenOptions, open } from 'bookend'
import { expect, onTestFinished } from 'vitest'

const memoryFolder = '/dev/shm'

/** A folder of its own for the running test, gone when it ends. In memory where that is possible: flushes cost nothing there. */
export function temporaryFolder(parent = existsSync(memoryFolder) ? memoryFolder : tmpdir()): string {
  const folder = mkdtempSync(path.join(parent, 'bookend-scenario-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Small segments, so that a test sees many of them; one reader thread, so that a test file costs three threads. */
export const small: OpenOptions = { segmentBytes: 1 << 20, readers: 1 }

/** A log for the running test, closed when it ends. */
export async function openLog(directory = temporaryFolder(), options: OpenOptions = {}): Promise<Log> {
  const log = await open(directory, { ...small, ...options })
  // A test that closed it, or broke it, has said so itself.
  onTestFinished(() => log.close().catch(() => {}))
  return log
}

/** Waits for something that happens by itself. The deadline is for hangs, not for speed. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 120_000,
): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${deadlineMs} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** The error that a call ends with; fails the test if it does not. */
export async function failureOf(call: () => unknown): Promise<Error & Record<string, unknown>> {
  try {
    await call()
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('expected the call to fail, but it succeeded')
}

/** The same for an error with a code; checks that it is ours. */
export async function codedFailureOf(call: () => unknown): Promise<BookendError> {
  const error = await failureOf(call)
  if (!(error instanceof BookendError)) throw error
  return error
}

/** The caller's mistakes are TypeError or RangeError, without a code. */
export async function expectMistake(call: () => unknown, kind: typeof TypeError | typeof RangeError): Promise<void> {
  const error = await failureOf(call)
  expect(error, String(call)).toBeInstanceOf(kind)
  expect(error.constructor, String(call)).toBe(kind)
  expect('code' in error, `${call} has a code`).toBe(false)
}

export async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const message of messages) all.push(message)
  return all
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))
}

/** A scan module that never comes back from its first call, and when that has begun. */
export function endlessScan(how: 'wait' | 'loop' | 'await' = 'wait'): { module: URL; begun(): Promise<void> } {
  const file = path.join(temporaryFolder(), 'begun')
  const module = pathToFileURL(fixture('scan-endless.mjs'))
  module.search = new URLSearchParams({ how, file }).toString()
  return { module, begun: () => until('the scan has begun', () => existsSync(file)) }
}

export interface Program {
  readonly process: ChildProcess
  /** What it has written so far. */
  output(): string
  /** Resolves when standard output contains `text`; rejects if the program ends before. */
  says(text: string): Promise<void>
  /** How it ended. A program that does not end in time is killed and fails the test. */
  ended: Promise<{ status: number | null; signal: NodeJS.Signals | null; output: string; errors: string }>
}

/** Runs a whole program from test/fixtures in a process of its own, which does not outlive the test. */
export function start(name: string, args: string[] = [], deadlineMs = 150_000, nodeArgs: string[] = []): Program {
  const child = spawn(process.execPath, [...nodeArgs, fixture(name), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, deadlineMs)
  const ended = new Promise<Awaited<Program['ended']>>((resolve, reject) => {
    child.once('close', (status, signal) => {
      clearTimeout(timer)
      if (isLate) reject(new Error(`${name} did not end in ${deadlineMs} ms; it said: ${output}${errors}`))
      else resolve({ status, signal, output, errors })
    })
  })
  // Not every test looks at the end.
  ended.catch(() => {})
  onTestFinished(() => {
    clearTimeout(timer)
    child.kill('SIGKILL')
  })
  let hasEnded = false
  ended.then(
    () => {
      hasEnded = true
    },
    () => {
      hasEnded = true
    },
  )
  const says = (text: string) =>
    until(`${name} says ${JSON.stringify(text)}`, () => {
      if (output.includes(text)) return true
      if (hasEnded) throw new Error(`${name} ended without saying ${JSON.stringify(text)}: ${output}${errors}`)
      return false
    })
  return { process: child, output: () => output, says, ended }
}

/** Runs a program that reports in JSON on its last line, and must end well. */
export async function report<T = Record<string, unknown>>(
  name: string,
  args: string[] = [],
  nodeArgs: string[] = [],
): Promise<T> {
  const { status, signal, output, errors } = await start(name, args, undefined, nodeArgs).ended
  expect({ status, signal, errors }, `${name}: ${output}`).toEqual({ status: 0, signal: null, errors: '' })
  return JSON.parse(output.trim().split('\n').at(-1) as string) as T
}

/** A generator of numbers in [0, 1) that a seed replays. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Names of the segment files of a log, in order. */
export function segmentNames(directory: string): string[] {
  return readdirSync(path.join(directory, 'log'))
    .filter((name) => name.endsWith('.seg'))
    .sort()
}

export function segmentFile(directory: string, index: number): string {
  return path.join(directory, 'log', segmentNames(directory)[index])
}

/** Every file of a directory with its size, time of change and bytes: two of them differ if anything was written. */
export function contentOf(directory: string): Map<string, string> {
  const content = new Map<string, string>()
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
  for (const name of names) {
    const file = path.join(directory, name)
    const { size, mtimeMs } = statSync(file)
    content.set(
      name,
      statSync(file).isDirectory() ? 'directory' : `${size} ${mtimeMs} ${readFileSync(file).toString('latin1')}`,
    )
  }
  return content
}

/** Changes bytes of a file in place. */
export function overwrite(file: string, at: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, at)
  closeSync(descriptor)
}

/** Place of the message that is filled with `fill` in a segment file, well inside its value. */
export function placeOf(file: string, fill: number): number {
  const at = readFileSync(file).indexOf(Buffer.alloc(1_000, fill))
  expect(at).toBeGreaterThan(0)
  return at + 500
}
