/** Logs with side indexes, as they are used: declared or not, by owners and others, with files that come and go. */
import { readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Log, open } from 'bookend'
import { expect, it } from 'vitest'
import { collect, openLog, temporaryFolder, until } from './support.js'

const total = 4_000
const index = { keys: true, headers: ['type'] }

async function fill(log: Log, options = {}): Promise<void> {
  const topic = log.topic('t', options)
  for (let number = 0; number < total; number++) {
    const type = number % 97 === 0 ? 'rare' : 'usual'
    const isTaken = () => topic.offer(new Uint8Array(700), { key: `k${number % 1_000}`, headers: { type } })
    while (!isTaken()) await topic.ready()
  }
  await log.flush()
}

async function expectFound(log: Log): Promise<void> {
  const topic = log.topic('t')
  expect((await topic.last('k7'))?.offset).toBe(total - 993)
  expect(await topic.last('nobody')).toBeUndefined()
  expect((await collect(topic.byKey('k7', { reverse: false }))).map(({ offset }) => offset)).toEqual([
    7, 1007, 2007, 3007,
  ])
  const rare = Array.from({ length: Math.ceil(total / 97) }, (_, number) => number * 97)
  expect((await collect(topic.read({ where: { type: 'rare' } }))).map(({ offset }) => offset)).toEqual(rare)
  expect(await topic.count({ where: { type: 'rare' } })).toBe(rare.length)
}

const sides = (directory: string) => readdirSync(path.join(directory, 'log')).filter((name) => name.endsWith('.idx'))

it('come to segments that were sealed without, are used by whoever opens the log, and are missed by nobody', async () => {
  const directory = temporaryFolder()
  const first = await openLog(directory)
  await fill(first)
  await expectFound(first)
  expect(sides(directory)).toEqual([])
  first.topic('t', { index })
  await until('sealed segments have side indexes', () => sides(directory).length >= 2)
  await expectFound(first)
  await first.close()
  const reader = await open(directory, { readOnly: true, readers: 1 })
  await expectFound(reader)
  await reader.close()
  for (const [at, name] of sides(directory).entries()) {
    const file = path.join(directory, 'log', name)
    if (at % 3 === 0) rmSync(file)
    else if (at % 3 === 1) truncateSync(file, 5_000)
    else writeFileSync(file, 'not an index')
  }
  const again = await openLog(directory)
  await expectFound(again)
  await again.close()
})

it('left over without a segment, or half made, go when the log is opened', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await fill(log, { index })
  await log.close()
  const orphan = path.join(directory, 'log', `${String(99 * 2 ** 20).padStart(20, '0')}.idx`)
  writeFileSync(orphan, 'x')
  writeFileSync(`${orphan}.new`, 'x')
  const before = sides(directory)
  expect(before.length).toBeGreaterThan(2)
  const again = await openLog(directory)
  expect(sides(directory)).toEqual(before.filter((name) => name !== path.basename(orphan)))
  expect(readdirSync(path.join(directory, 'log')).filter((name) => name.endsWith('.new'))).toEqual([])
  await expectFound(again)
})

it('a backup has none, whatever has become of those of the log; it finds the same, and its owner makes them anew', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  await fill(log, { index })
  await until('sealed segments have side indexes', () => sides(directory).length >= 2)
  const [missing, damaged] = sides(directory).map((name) => path.join(directory, 'log', name))
  rmSync(missing)
  writeFileSync(damaged, 'not an index')
  const copy = path.join(temporaryFolder(), 'copy')
  await log.backup(copy)
  await expectFound(log)
  const follower = await open(directory, { readOnly: true, follow: true, readers: 1 })
  await expectFound(follower)
  await follower.close()
  await log.close()
  expect(sides(copy)).toEqual([])
  const reader = await open(copy, { readOnly: true, readers: 1 })
  await expectFound(reader)
  await reader.close()
  expect(sides(copy)).toEqual([])
  const owner = await openLog(copy)
  owner.topic('t', { index })
  await until('the copy has side indexes', () => sides(copy).length >= 2)
  await expectFound(owner)
})
