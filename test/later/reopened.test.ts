/** What waits is in the log: whoever opens it, or reads it, finds it. */
import path from 'node:path'
import { open, text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, openLog, temporaryFolder, until } from '../scenarios/support.js'

const farMs = 400 * 86_400_000

it('waits over restarts, in backups, and is listed where the log is only read', async () => {
  const directory = temporaryFolder()
  let log = await openLog(directory)
  const deliverAt = Date.now() + farMs
  const far = await log.topic('t', { codec: text }).schedule('far', { deliverAt, durability: 'disk' })
  const cancelled = await log.topic('t', { codec: text }).schedule('cancelled', { deliverAt })
  const target = path.join(temporaryFolder(), 'copy')
  await log.backup(target)
  expect(await log.topic('t').cancel(cancelled)).toBe(true)
  await log.close()

  for (const [from, ids] of [
    [directory, [far.id]],
    [target, [far.id, cancelled.id]],
  ] as const) {
    const reader = await open(from, { readOnly: true })
    expect((await reader.scheduled()).map(({ id }) => id)).toEqual(ids)
    await expect(reader.topic('t').cancel(far)).rejects.toMatchObject({ code: 'BOOKEND_READ_ONLY' })
    await reader.close()
  }

  log = await openLog(directory)
  expect(await log.topic('t').cancel({ ...far })).toBe(true)
  expect(await log.scheduled()).toEqual([])
})

it('what came due while nobody had the log open is delivered when it is opened', async () => {
  const directory = temporaryFolder()
  const before = await openLog(directory)
  const topic = before.topic('t', { codec: text })
  const due = Date.now() + 300
  await before.transaction((tx) => {
    for (const [value, deliverAt] of [
      ['b', due],
      ['c', due + 1],
      ['a', due - 1],
    ] as const)
      tx.schedule(topic, value, { deliverAt })
  })
  await before.close()
  await until('it is due', () => Date.now() > due + 1)
  const log = await openLog(directory)
  const found = await collect(log.topic('t', { codec: text }).read({ follow: true, to: 3 }))
  expect(found.map(({ value }) => value)).toEqual(['a', 'b', 'c'])
})

it('no retention lets go of what waits', async () => {
  const log = await openLog(temporaryFolder(), { retention: { maxBytes: 1, maxAgeMs: 1 } })
  const topic = log.topic('t', { codec: text })
  const ticket = await topic.schedule('far', { delayMs: farMs })
  const filler = log.topic('filler')
  for (let segment = 0; segment < 4; segment++) await filler.appendMany(Array(900).fill(new Uint8Array(1_000)))
  await log.flush('disk')
  expect((await log.scheduled()).map(({ id }) => id)).toEqual([ticket.id])
  expect(await topic.cancel(ticket)).toBe(true)
})
