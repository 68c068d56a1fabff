/** Running the built command with something on its standard input, and stopping it half way. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { commandFile, type Outcome } from './command.js'

export interface Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Outcome>
  /** Resolves once that much stands on standard output. */
  printed(isEnough: (out: string) => boolean): Promise<string>
}

export function start(...args: string[]): Running {
  return startIn(process.env, ...args)
}

export function startIn(env: NodeJS.ProcessEnv, ...args: string[]): Running {
  const child = spawn(process.execPath, [commandFile, ...args], { env })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let out = ''
  let errors = ''
  const waiting = new Set<() => void>()
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
    for (const look of waiting) look()
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  // What it does not want to read any more.
  child.stdin.on('error', () => {})
  const ended = new Promise<Outcome>((resolve) => {
    child.once('close', (status) => resolve({ status: status ?? -1, out, errors }))
  })
  const printed = (isEnough: (text: string) => boolean) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        if (!isEnough(out)) return
        waiting.delete(look)
        resolve(out)
      }
      waiting.add(look)
      look()
      ended.then(() => reject(new Error(`it has ended: ${errors}`)))
    })
  return { child, ended, printed }
}

export function feed(input: string | Uint8Array, ...args: string[]): Promise<Outcome> {
  const { child, ended } = start(...args)
  child.stdin.end(input)
  return ended
}

/** Lines of NDJSON. */
export function parsed<T = Record<string, unknown>>(out: string): T[] {
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}
