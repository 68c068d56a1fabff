import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { verify } from '../fixtures/verify.mjs'
import { fixture, seeded, temporaryFolder, until } from './support.js'

const seed = Number(process.env.BOOKEND_SEED ?? 20)

/** Runs the writer and kills it; returns the highest number it has acknowledged, or -1. */
async function killedWriter(
  directory: string,
  args: string[],
  acknowledgements: string,
  delayMs: number,
  isEarly: boolean,
) {
  const output = openSync(acknowledgements, 'w')
  const writer = spawn(process.execPath, [fixture('kill9-writer.mjs'), ...args, directory], {
    stdio: ['ignore', output, 'pipe'],
  })
  closeSync(output)
  let errors = ''
  writer.stderr?.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  const ended = new Promise((resolve) => writer.once('close', resolve))
  onTestFinished(() => {
    writer.kill('SIGKILL')
  })
  const acks = () => readFileSync(acknowledgements, 'latin1').match(/^A\d+(?= \d+\n)/gm) ?? []
  if (!isEarly) await until('the writer acknowledges or ends', () => acks().length > 0 || writer.exitCode !== null)
  await new Promise((resolve) => setTimeout(resolve, delayMs))
  expect(writer.exitCode, errors).toBeNull()
  writer.kill('SIGKILL')
  await ended
  return Math.max(-1, ...acks().map((line) => Number(line.slice(1))))
}

const ways: [string, string[], number][] = [
  ['process', ['--level', 'process', '--many'], 10],
  ['disk', ['--level', 'disk'], 4],
  ['file', ['--level', 'process', '--io', 'file'], 4],
]
for (const [name, args, cycles] of ways) {
  it(`after kill -9 nothing acknowledged is lost, nothing is doubled, no gap is left (${name}, seed ${seed})`, async () => {
    const random = seeded(seed + name.length)
    // On a real disk if there is one; the acknowledgements on another file system than the log.
    const directory = mkdtempSync(path.join(tmpdir(), 'bookend-kill9-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const acknowledgements = path.join(temporaryFolder(), 'acknowledged')
    let floor = -1
    let total = 0
    for (let cycle = 0; cycle < cycles; cycle++) {
      // Every third is killed early, perhaps while it still opens and recovers.
      const isEarly = cycle % 3 === 2
      const delay = Math.floor(random() * (isEarly ? 260 : 120))
      const acknowledged = await killedWriter(directory, args, acknowledgements, delay, isEarly)
      const found = await verify(directory)
      expect({ cycle, first: found.first, wrong: found.wrong }).toEqual({ cycle, first: 0, wrong: 0 })
      expect(found.stop, `cycle ${cycle}`).not.toBe('damage')
      expect(found.records - 1, `cycle ${cycle}`).toBeGreaterThanOrEqual(Math.max(floor, acknowledged))
      floor = found.records - 1
      total = Math.max(total, acknowledged + 1)
    }
    expect(total).toBeGreaterThan(cycles)
  })
}
