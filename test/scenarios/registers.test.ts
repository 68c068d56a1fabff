/** Numbers of registers and producers over restarts, deletions, backups, repairs and in other processes. */
import path from 'node:path'
import { open } from 'bookend'
import { expect, it } from 'vitest'
import { openLog, segmentNames, small, temporaryFolder, until } from './support.js'

const filler = new Uint8Array(60_000)

it('numbers are known after a restart, read-only, to followers and in a backup, whether they rose or fell', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const topic = log.topic('t')
  for (let round = 0; round < 5; round++) {
    await log.transaction((tx) => {
      tx.append(topic, filler)
      tx.set('rises', 2 ** 40 + round)
      tx.set('falls', 100 - round)
    })
    expect(await log.producer('p').append(topic, filler, 10 * round)).toBe(2 * round + 1)
    // Each round in segments of its own.
    for (let index = 0; index < 20; index++) await log.topic('others').append(filler)
  }
  const copy = path.join(temporaryFolder(), 'copy')
  await log.backup(copy)
  const follower = await open(directory, { ...small, readOnly: true, follow: true })
  const numbers = async (of: typeof log) => [
    await of.register('rises'),
    await of.register('falls'),
    await of.producer('p').last(),
    await of.register('p'),
  ]
  const expected = [2 ** 40 + 4, 96, 40, undefined]
  expect(await numbers(follower)).toEqual(expected)
  await log.transaction((tx) => tx.set('falls', 3))
  await until('the follower has heard of it', async () => (await follower.register('falls')) === 3)
  await follower.close()
  await log.close()
  for (const [where, falls, options] of [
    [directory, 3, { readOnly: true }],
    [directory, 3, {}],
    [copy, 96, {}],
  ] as const) {
    const again = await open(where, { ...small, ...options })
    expect(await numbers(again)).toEqual([expected[0], falls, ...expected.slice(2)])
    expect(again.stats().recovery).toMatchObject({ tornBytes: 0, damages: [] })
    expect(await again.topics()).toEqual(['others', 't'])
    await again.close()
  }
})

it('numbers outlive the segments that they were set in, and every message', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  const topic = log.topic('t')
  await log.producer('p').append(topic, filler, 7)
  await log.transaction((tx) => tx.set('r', 8))
  for (let index = 0; index < 100; index++) await topic.append(filler)
  const before = segmentNames(directory)
  await topic.trim(101)
  await until('the first segment is deleted', () => !segmentNames(directory).includes(before[0]))
  expect([await log.register('r'), await log.producer('p').last()]).toEqual([8, 7])
  await log.close()
  const again = await openLog(directory)
  expect([await again.register('r'), await again.producer('p').last()]).toEqual([8, 7])
  expect(await again.producer('p').append(again.topic('t'), filler, 7)).toBeUndefined()
  expect(await again.producer('p').append(again.topic('t'), filler, 8)).toBe(101)
})
