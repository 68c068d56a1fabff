/** Running the built command as a user does, and making logs for it to look at. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type OpenOptions, open, text } from 'bookend'
import { onTestFinished } from 'vitest'

export const commandFile = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

export interface Outcome {
  status: number
  out: string
  errors: string
}

/** Runs `bookend` with these arguments, its output in pipes. */
export function bookend(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, timeout: 150_000, maxBuffer: 64 << 20 }
    execFile(process.execPath, [commandFile, ...args], options, (error, out, errors) => {
      // A signal has no code: then the command died, or was killed for being late.
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ status, out, errors })
    })
  })
}

export async function bookendJson<T = Record<string, never>>(...args: string[]): Promise<{ status: number; json: T }> {
  const { status, out } = await bookend([...args, '--json'])
  return { status, json: JSON.parse(out) as T }
}

/** @param parent where the file system has to be a real one */
export function temporaryFolder(parent = existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir()): string {
  const folder = mkdtempSync(path.join(parent, 'bookend-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const small: OpenOptions = { segmentBytes: 1 << 20, readers: 1 }

/** A closed log with two topics and about three segments. */
export async function closedLog(directory = temporaryFolder(), options: OpenOptions = {}): Promise<string> {
  const log = await open(directory, { ...small, ...options })
  const orders = log.topic('orders', { codec: text })
  const clicks = log.topic('clicks')
  for (let number = 0; number < 250; number++) {
    await orders.append(String(number).repeat(3_000))
    if (number % 10 === 0) await clicks.append(new Uint8Array(100).fill(number))
  }
  await log.close()
  return directory
}

export function segmentFile(directory: string, index: number): string {
  return path.join(directory, 'log', `${String(index * (1 << 20)).padStart(20, '0')}.seg`)
}
