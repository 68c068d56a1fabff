import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { verify } from '../../fixtures/verify.mjs'
import { fixture, seeded, start, until } from '../support.js'

const seed = Number(process.env.BOOKEND_SEED ?? 20)

/** A writer that is killed after a while. @returns the highest number that it has acknowledged, or -1 */
async function killedWriter(directory: string, args: readonly string[], delayMs: number): Promise<number> {
  const writer = spawn(process.execPath, [fixture('kill9-writer.mjs'), ...args, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void writer.kill('SIGKILL'))
  let output = ''
  writer.stdout?.setEncoding('latin1').on('data', (text) => {
    output += text
  })
  const ended = new Promise((resolve) => writer.once('close', resolve))
  await until('the writer acknowledges or ends', () => output.includes('\n') || writer.exitCode !== null)
  await new Promise((resolve) => setTimeout(resolve, delayMs))
  expect(writer.exitCode).toBeNull()
  writer.kill('SIGKILL')
  await ended
  return Math.max(-1, ...[...output.matchAll(/^A(\d+) \d+\n/gm)].map(([, number]) => Number(number)))
}

for (const [name, args] of [
  ['process', ['--level', 'process', '--many']],
  ['disk', ['--level', 'disk']],
] as const) {
  it(`a follower sees exactly what is acknowledged, in order, while its owner is killed and comes again (${name}, seed ${seed})`, async () => {
    const random = seeded(seed + name.length)
    const directory = mkdtempSync(path.join(tmpdir(), 'bookend-followed-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const first = await killedWriter(directory, args, 20)
    const follower = start('follower.mjs', [directory])
    const seen = () =>
      Math.max(-1, ...[...follower.output().matchAll(/^F(\d+)\n/gm)].map(([, number]) => Number(number)))
    const isSound = () => !follower.output().includes('W')
    await until('it has what was there', () => seen() >= first || !isSound())
    for (let cycle = 0; cycle < 8 && isSound(); cycle++) {
      const acknowledged = await killedWriter(directory, args, Math.floor(random() * 150))
      // Nobody has the log open: what was acknowledged is known all the same, and nothing that the next owner would not find.
      await until(`it has all that was acknowledged in life ${cycle}`, () => seen() >= acknowledged || !isSound())
    }
    const found = await verify(directory)
    await until('it has all that there is', () => seen() >= found.records - 1 || !isSound())
    expect({ wrong: follower.output().match(/^W.*/gm), seen: seen() }).toEqual({ wrong: null, seen: found.records - 1 })
  })
}
