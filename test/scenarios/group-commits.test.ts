import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { groupRecordAt } from '../../src/format/group-layout.js'
import type { LocalEngine } from '../../src/local/local-engine.js'
import { fixture, openLog, seeded, small, start, temporaryFolder, until } from './support.js'

/** The built engine: its threads are built JavaScript. */
const { openLocalEngine } = (await import(
  new URL('../../dist/src/local/opening.js', import.meta.url).href
)) as typeof import('../../src/local/opening.js')
const { completeOptions } = (await import(
  new URL('../../dist/src/log/options.js', import.meta.url).href
)) as typeof import('../../src/log/options.js')

async function openEngine(directory: string, options = {}): Promise<LocalEngine> {
  const engine = await openLocalEngine(completeOptions(directory, { ...small, ...options }))
  onTestFinished(() => engine.close().catch(() => {}))
  return engine
}

async function append(engine: LocalEngine, topic: string, count: number): Promise<void> {
  const values = Array.from({ length: count }, () => new Uint8Array(10))
  await engine.topic(topic).appendMany(values, undefined, 'process')
}

const at = (committed: number) => ({ committed, ranges: [] })

/** What the committer has said, by group: acknowledged, and asked for. */
function said(file: string): Map<string, { acknowledged: number; requested: number }> {
  const groups = new Map<string, { acknowledged: number; requested: number }>()
  for (const [, kind, group, committed] of readFileSync(file, 'latin1').matchAll(/^([RA])(g\d) (\d+)\n/gm)) {
    const entry = groups.get(group) ?? { acknowledged: 0, requested: 0 }
    groups.set(group, entry)
    const what = kind === 'R' ? 'requested' : 'acknowledged'
    entry[what] = Math.max(entry[what], Number(committed))
  }
  return groups
}

async function expectGroups(directory: string, output: string): Promise<number> {
  const engine = await openEngine(directory)
  let total = 0
  expect(engine.stats().errors).toEqual({ count: 0, last: undefined })
  for (const [name, { acknowledged, requested }] of said(output)) {
    const committed = engine.registry.known('numbers', name)?.state.committed ?? -1
    expect(committed, `${name} of ${directory}`).toBeGreaterThanOrEqual(acknowledged)
    expect(committed, `${name} of ${directory}`).toBeLessThanOrEqual(requested)
    expect(committed).toBeLessThanOrEqual(engine.topic('numbers').next())
    total += acknowledged
  }
  await engine.close()
  return total
}

it.each([
  ['process', 10],
  ['disk', 4],
])(
  'after kill -9 every group is as it was acknowledged, or as it was asked to be later (%s)',
  async (level, cycles) => {
    const random = seeded(7)
    // On a real disk if there is one; what is said goes to another file system.
    const directory = mkdtempSync(path.join(tmpdir(), 'bookend-groups-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const output = path.join(temporaryFolder(), 'said')
    const { spawn } = await import('node:child_process')
    let total = 0
    for (let cycle = 0; cycle < cycles; cycle++) {
      const file = openSync(output, 'w')
      const committer = spawn(process.execPath, [fixture('kill9-committer.mjs'), '--level', level, directory], {
        stdio: ['ignore', file, 'pipe'],
      })
      closeSync(file)
      onTestFinished(() => {
        committer.kill('SIGKILL')
      })
      let errors = ''
      committer.stderr?.setEncoding('utf8').on('data', (text) => {
        errors += text
      })
      const ended = new Promise((resolve) => committer.once('close', resolve))
      const isEarly = cycle % 3 === 2
      const isAcknowledged = () => [...said(output).values()].some(({ acknowledged }) => acknowledged > 0)
      if (!isEarly) await until('it has committed or ends', () => isAcknowledged() || committer.exitCode !== null)
      await new Promise((resolve) => setTimeout(resolve, Math.floor(random() * (isEarly ? 250 : 120))))
      expect(committer.exitCode, errors).toBeNull()
      committer.kill('SIGKILL')
      await ended
      total += await expectGroups(directory, output)
    }
    expect(total).toBeGreaterThan(cycles)
  },
)

it.each(['flushSync', 'exit'])('nothing that was asked to be committed is lost behind %s', async (end) => {
  const directory = temporaryFolder()
  const program = start('kill9-committer.mjs', ['--end', end, directory])
  const { status, signal, output, errors } = await program.ended
  expect({ status, signal, errors }).toEqual(
    end === 'exit' ? { status: 0, signal: null, errors: '' } : { status: null, signal: 'SIGKILL', errors: '' },
  )
  const engine = await openEngine(directory)
  const last = engine.topic('numbers').next()
  expect(output).toContain(`Rg4 ${last}\n`)
  expect(engine.registry.list().map(({ state }) => state)).toEqual(Array(5).fill(at(last)))
})

it('close waits for what was asked to be committed, and the next owner finds it', async () => {
  const directory = temporaryFolder()
  const engine = await openEngine(directory)
  await append(engine, 'a', 100)
  const group = await engine.registry.open('a', 'g', () => 0)
  const ranges = [{ first: 60, end: 70 }]
  const commits = [engine.commits.commit(group, at(10)), engine.commits.commit(group, { committed: 50, ranges })]
  await engine.close()
  await Promise.all(commits)
  await expect(engine.commits.commit(group, at(60))).rejects.toMatchObject({ code: 'BOOKEND_CLOSED' })
  await expect(engine.registry.open('a', 'h', () => 0)).rejects.toMatchObject({ code: 'BOOKEND_CLOSED' })
  const next = await openEngine(directory)
  expect(next.registry.list('a')).toHaveLength(1)
  expect(next.registry.known('a', 'g')?.state).toEqual({ committed: 50, ranges })
  expect(next.stats().groups).toEqual({ count: 1, commits: 0 })
})

it.each(['process', 'disk'] as const)('a commit is answered at the level of the log (%s)', async (durability) => {
  const engine = await openEngine(temporaryFolder(), { durability, flushIntervalMs: 3_600_000 })
  await append(engine, 'a', 100)
  const group = await engine.registry.open('a', 'g', () => 0)
  for (let committed = 1; committed <= 20; committed++) await engine.commits.commit(group, at(committed))
  await Promise.all(Array.from({ length: 20 }, (_, index) => engine.commits.commit(group, at(30 + index))))
  await engine.flush('disk')
  expect(engine.stats().groups).toEqual({ count: 1, commits: 21 })
  await engine.registry.remove(group)
  expect(engine.stats().groups.count).toBe(0)
})

it('a log opened read-only shows its groups and changes none', async () => {
  const directory = temporaryFolder()
  const owner = await openEngine(directory)
  await append(owner, 'a', 10)
  const group = await owner.registry.open('a', 'g', () => 0)
  await owner.commits.commit(group, at(7))
  const reader = await openEngine(directory, { readOnly: true })
  const seen = reader.registry.known('a', 'g')
  expect(seen?.state).toEqual(at(7))
  await expect(reader.registry.open('a', 'h', () => 0)).rejects.toMatchObject({ code: 'BOOKEND_READ_ONLY' })
  await reader.close()
  await owner.close()
})

it('damage to a group is reported, and costs it one commit', async () => {
  const directory = temporaryFolder()
  const owner = await openEngine(directory)
  await append(owner, 'a', 10)
  const group = await owner.registry.open('a', 'g', () => 0)
  for (const committed of [5, 6, 7]) await owner.commits.commit(group, at(committed))
  await owner.close()
  const file = openSync(path.join(directory, 'groups'), 'r+')
  // The first record has sequence 1, the last one 4.
  writeSync(file, 'damage', groupRecordAt(0, 4) + 8)
  closeSync(file)
  const next = await openEngine(directory)
  expect(next.registry.known('a', 'g')?.state).toEqual(at(6))
  expect(next.stats().errors).toEqual({ count: 1, last: 'BOOKEND_CORRUPT' })
  await next.close()
})

it('a log without groups has no file for them', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await log.topic('a').append(new Uint8Array(1))
  await log.close()
  expect(() => readFileSync(path.join(directory, 'groups'))).toThrow('ENOENT')
})
