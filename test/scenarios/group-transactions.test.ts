/** What is consumed is acknowledged in one transaction with what it leads to: over kills, restarts, moves and removals each leads to it once. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { json } from 'bookend'
import { expect, it } from 'vitest'
import { Seeded } from '../support/seeded.js'
import { collect, openLog, temporaryFolder, until } from './support.js'

const program = fileURLToPath(new URL('../fixtures/consume-produce.mjs', import.meta.url))
/** `npm run kills:transactions` has many more. */
const kills = Number(process.env.BOOKEND_KILLS ?? 4)

/** Runs until it has printed so many lines, and is killed then. @returns whether it has ended by itself */
async function runUntil(directory: string, count: number, lines: number): Promise<boolean> {
  const child = spawn(process.execPath, [program, directory, String(count)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  let seen = 0
  for await (const line of createInterface({ input: child.stdout })) {
    seen += 1
    if (line === 'done') break
    if (seen === lines) child.kill('SIGKILL')
  }
  const [code] = await exit
  return code === 0
}

it(
  'a pipeline that is killed at any moment has one output for each input',
  async () => {
    const directory = temporaryFolder()
    const random = new Seeded(Number(process.env.SEED ?? 1))
    const count = 60 * kills
    const log = await openLog(directory)
    await Promise.all(Array.from({ length: count }, (_, index) => log.topic('in', { codec: json }).append(index)))
    await log.close()
    let killed = 0
    for (let run = 0; run < 3 * kills + 10; run++) {
      // Now and then it is let come to its end.
      if (await runUntil(directory, count, killed < kills ? 2 + random.below(60) : Number.POSITIVE_INFINITY)) break
      killed += 1
    }
    const again = await openLog(directory)
    const outputs = (await collect(again.topic('out', { codec: json }).read())).map(
      ({ value }) => (value as { of: number }).of,
    )
    expect(outputs.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index))
    expect(await again.topic('in').group('g').position()).toMatchObject({ committed: count, lag: 0 })
    expect(killed).toBeGreaterThan(0)
    if (kills > 100) console.log(`${killed} kills; ${count} inputs, each with its one output`)
  },
  600_000 + 20_000 * kills,
)

it('what a transaction has acknowledged is acknowledged after a restart, by gaps and all, read-only too', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const topic = log.topic('t', { codec: json })
  await topic.appendMany(Array.from({ length: 200 }, (_, index) => index))
  const deliveries = topic.group('g').consume()
  // More gaps than a record has room for.
  for (let index = 0; index < 200; index++) {
    const { value: delivery } = await deliveries.next()
    if (index % 2 === 1) await log.transaction((tx) => tx.ack(delivery))
  }
  await log.close()
  for (const options of [{ readOnly: true }, {}]) {
    const again = await openLog(directory, options)
    expect(await again.topic('t').group('g').position()).toMatchObject({ committed: 0, lag: 100 })
    await again.close()
  }
  const last = await openLog(directory)
  const left = []
  const rest = last.topic('t', { codec: json }).group('g').consume()
  for (let index = 0; index < 100; index++) {
    const { value: delivery } = await rest.next()
    left.push(delivery.value)
    await delivery.ack()
  }
  expect(left).toEqual(Array.from({ length: 100 }, (_, index) => 2 * index))
  expect(await last.topic('t').group('g').position()).toMatchObject({ committed: 200, lag: 0 })
})

it('a group that was moved, or made anew in the place of another, begins where it was told to, after a restart too', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const topic = log.topic('t', { codec: json })
  await topic.appendMany(Array.from({ length: 20 }, (_, index) => index))
  await log.transaction((tx) => {
    tx.commit(topic.group('moved'), 15)
    tx.commit(topic.group('removed'), 15)
  })
  await topic.group('moved').seek(5)
  await topic.group('removed').remove()
  await topic.group('new').seek(3)
  await log.close()
  const again = await openLog(directory)
  for (const [name, committed] of [
    ['moved', 5],
    ['new', 3],
    ['removed', 0],
  ] as const)
    expect(await again.topic('t').group(name).position()).toMatchObject({ committed })
})

it('journals are taken over into the groups file, and keep no segment', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory, { retention: { consumed: true } })
  const topic = log.topic('t')
  const group = topic.group('g')
  for (let round = 0; round < 60; round++) {
    const offset = await topic.append(new Uint8Array(60_000))
    await log.transaction((tx) => tx.commit(group, offset + 1))
  }
  await log.flush('disk')
  await until('the first segments are deleted', () => log.stats().segments.deleted > 0)
})

it('a commit moves a group with a filter to any offset, whether or not that was looked through, and it goes on from there', async () => {
  const log = await openLog()
  const topic = log.topic('in')
  for (let offset = 0; offset < 600; offset++)
    topic.offer(new Uint8Array(300), { headers: { kind: offset % 100 === 0 ? 'wanted' : 'other' } })
  await log.flush()
  const group = topic.group('g', { where: { kind: 'wanted' } })
  await log.transaction((tx) => tx.commit(group, 350))
  // What does not match behind it is passed.
  expect(await group.position()).toMatchObject({ committed: 400, lag: 2 })
  for await (const { offset } of group.consume()) {
    expect(offset).toBe(400)
    break
  }
  await log.transaction((tx) => tx.commit(group, 600))
  expect(await group.position()).toMatchObject({ committed: 600, lag: 0 })
})
