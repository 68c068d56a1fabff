/**
 * Random producers, consumers, groups, acknowledgements, messages given back, reader threads that die, and kill -9 of the whole
 * process, again and again over one log; what the lives have noted is checked against the promises.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { fixture, openLog, seeded, temporaryFolder, until } from './support.js'

const seed = Number(process.env.BOOKEND_SEED ?? 7)
const cycles = Number(process.env.BOOKEND_CYCLES ?? 8)

interface Life {
  pushed: Record<'t' | 'q', Set<number>>
  delivered: Record<string, Set<number>>
  acknowledged: Record<string, Set<number>>
  popped: Set<number>
}

/** Runs one life and kills it after `lifeMs`, or lets it drain everything. */
async function live(directory: string, journal: string, seedOfLife: number, lifeMs: number | undefined): Promise<Life> {
  const args = [fixture('consuming-worker.mjs'), directory, journal, `${seedOfLife}`]
  const child = spawn(process.execPath, lifeMs === undefined ? [...args, '--drain'] : args, {
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    errors += chunk
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  if (lifeMs !== undefined) {
    await until('it has begun, or failed', () => readJournal(journal).length > 0 || child.exitCode !== null)
    await new Promise((resolve) => setTimeout(resolve, lifeMs))
    expect(child.exitCode, errors).toBeNull()
    child.kill('SIGKILL')
  }
  const status = await ended
  if (lifeMs === undefined) expect(status, errors).toBe(0)
  return parse(readJournal(journal))
}

function readJournal(journal: string): string[] {
  try {
    return readFileSync(journal, 'latin1').split('\n').slice(0, -1)
  } catch {
    return []
  }
}

function parse(lines: readonly string[]): Life {
  const life: Life = {
    pushed: { t: new Set(), q: new Set() },
    delivered: { a: new Set(), b: new Set() },
    acknowledged: { a: new Set(), b: new Set() },
    popped: new Set(),
  }
  for (const line of lines) {
    const [what, first, second] = line.split(' ')
    if (what === 'P') life.pushed.t.add(Number(first))
    else if (what === 'U') life.pushed.q.add(Number(first))
    else if (what === 'D') {
      // Within a life: what was acknowledged never comes again.
      expect(life.acknowledged[first].has(Number(second)), line).toBe(false)
      life.delivered[first].add(Number(second))
    } else if (what === 'A') life.acknowledged[first].add(Number(second))
    else if (what === 'Q') {
      expect(life.popped.has(Number(first)), line).toBe(false)
      life.popped.add(Number(first))
    }
  }
  return life
}

it(`nothing is lost and nothing acknowledged comes again, whoever dies (seed ${seed})`, async () => {
  const random = seeded(seed)
  const directory = path.join(temporaryFolder(), 'log')
  const journals = temporaryFolder()
  const lives: Life[] = []
  for (let cycle = 0; cycle < cycles; cycle++) {
    const lifeMs = 60 + random() * 500
    lives.push(await live(directory, path.join(journals, `${cycle}`), cycle + seed * 1_000, lifeMs))
  }
  lives.push(await live(directory, path.join(journals, 'drain'), 1, undefined))

  const log = await openLog(directory)
  const counts = { t: (await log.topic('t').bounds()).next, q: (await log.topic('q').bounds()).next }
  for (const name of ['t', 'q'] as const) {
    for (const { pushed } of lives) for (const number of pushed[name]) expect(number).toBeLessThan(counts[name])
  }
  for (const name of ['a', 'b']) {
    const done = new Set<number>()
    const seen = new Set<number>()
    for (const { delivered, acknowledged } of lives) {
      for (const number of delivered[name]) {
        expect(done.has(number), `message ${number} of group ${name} came again after its acknowledgement`).toBe(false)
        seen.add(number)
      }
      for (const number of acknowledged[name]) done.add(number)
    }
    expect(seen.size, `group ${name} saw every message`).toBe(counts.t)
    expect(await log.topic('t', { codec: text }).group(name).position()).toMatchObject({ committed: counts.t, lag: 0 })
  }
  const popped = new Set<number>()
  for (const life of lives) {
    for (const number of life.popped) {
      expect(popped.has(number), `message ${number} was popped twice`).toBe(false)
      popped.add(number)
    }
  }
  // A pop that was under way when its process died took the message with it: two of them a life at the most.
  expect(popped.size).toBeGreaterThanOrEqual(counts.q - 2 * cycles)
  expect(await log.queue('q').size()).toBe(0)
  expect(counts.t).toBeGreaterThan(cycles)
})
