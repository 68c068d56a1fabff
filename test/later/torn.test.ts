/** What waits stands in `.due` and `.later`: where a part cannot be read for a while, nothing of it is passed over. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { LaterLog, TestClock } from '../support/later-log.js'
import { range } from '../support/words.js'

it('delivers all of it, once, where a page could not be read in the middle of choosing', async () => {
  const clock = new TestClock()
  const log = new LaterLog([], clock, { inMemory: 4, perPage: 2 })
  const goOn = async () => {
    for (let round = 0; round < 20; round++) {
      log.publish()
      await turn()
      clock.pass(0)
    }
  }
  for (const index of range(0, 24)) {
    const message = { topic: 't', value: Buffer.from(`${index}`), extras: undefined, due: { at: 5_000 }, id: undefined }
    void log.scheduler.schedule(message, 'process')
    await goOn()
  }
  expect(log.messages('.due').length).toBeGreaterThan(0)
  log.failure = { topic: '.due', error: new Error('no files are left') }
  clock.pass(5_000)
  await goOn()
  expect(log.errors).toEqual([log.failure.error])
  log.failure = undefined
  for (let second = 0; second < 3; second++) {
    clock.pass(1_000)
    await goOn()
  }
  expect(log.messages('t').map(({ value }) => Buffer.from(value).toString())).toEqual(range(0, 24).map(String))
})
