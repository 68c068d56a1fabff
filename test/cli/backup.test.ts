import fs from 'node:fs'
import path from 'node:path'
import { open, text } from 'bookend'
import { expect, it } from 'vitest'
import { collect } from '../scenarios/support.js'
import { bookend, bookendJson, closedLog, small, temporaryFolder } from './command.js'

it('backup copies a log while its owner goes on, and the copy opens clean', async () => {
  const directory = await closedLog()
  const target = path.join(temporaryFolder(), 'copy')
  const log = await open(directory, small)
  try {
    const orders = log.topic('orders', { codec: text })
    await orders.group('billing').seek(10)
    await orders.append('the last one')
    await log.flush('disk')
    const appended = (async () => {
      for (let number = 0; number < 500; number++) await orders.append(`later ${number}`)
    })()
    const { status, json } = await bookendJson<{ segments: number; bytes: number }>('backup', directory, target)
    await appended
    expect(status).toBe(0)
    expect(json).toMatchObject({ directory, target })
    expect(json.segments).toBeGreaterThanOrEqual(2)
    await using copy = await open(target, small)
    const values = (await collect(copy.topic('orders', { codec: text }).read())).map(({ value }) => value)
    // The log up to one moment: a prefix of what it has become.
    const all = (await collect(orders.read({ to: values.length }))).map(({ value }) => value)
    expect(values).toEqual(all)
    expect(values[250]).toBe('the last one')
    expect(copy.stats().recovery.damages).toEqual([])
    expect((await copy.topic('orders').group('billing').position()).committed).toBe(10)
  } finally {
    await log.close()
  }
  expect((await bookend(['verify', target])).status).toBe(0)
})

it('backup into a directory that is in use, or of no log, is refused and leaves everything as it is', async () => {
  const directory = await closedLog()
  const used = temporaryFolder()
  fs.writeFileSync(path.join(used, 'precious'), 'data')
  const refused = await bookend(['backup', directory, used])
  expect(refused).toMatchObject({ status: 2, out: '' })
  expect(refused.errors).toMatch(/^bookend: .*is not empty.*\n$/)
  expect(fs.readdirSync(used)).toEqual(['precious'])
  const target = path.join(used, 'copy')
  expect(await bookend(['backup', used, target])).toMatchObject({
    status: 1,
    errors: expect.stringContaining('BOOKEND_FORMAT'),
  })
  expect((await bookend(['backup', directory, path.join(directory, 'copy')])).status).toBe(2)
  expect((await bookend(['backup', directory])).status).toBe(2)
  expect(fs.readdirSync(used)).toEqual(['precious'])
})
