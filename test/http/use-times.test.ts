import { expect, it } from 'vitest'
import { StreamRegistry } from '../../src/http/stream-registry.js'
import { openLog } from '../scenarios/support.js'

it('a time to live goes on over a restart: late by a tenth at most, and never early', async () => {
  const log = await openLog()
  const started = Date.now()
  let passedMs = 0
  const clocks = { now: () => Date.now() + passedMs, nowMs: () => performance.now() + passedMs }
  const first = new StreamRegistry(log, clocks)
  const config = { contentType: 'text/plain', ttlSeconds: 1_000_000 }
  await first.create('used', config, [], false)
  await first.create('unused', config, [], false)
  await first.create('other', { contentType: 'text/plain' }, [], false)
  // Of the many uses one is stored: the next one is less than a tenth later.
  for (let use = 0; use < 100; use++) await first.find('used', true)
  expect(await log.topic('_streams').count()).toBe(3)
  // As if all had been made long ago: the records keep the real time.
  const next = (ms: number) => {
    passedMs = ms
    return new StreamRegistry(log, clocks)
  }
  // However slow the machine is, this test does not take as long as the rest of the grain.
  const slackMs = 50_000_000
  expect(await next(1_000_000_000 + slackMs).find('unused', false)).toBeDefined()
  expect(await next(1_100_000_000 + slackMs).find('unused', false)).toBeUndefined()
  expect(await next(1_100_000_000 + slackMs).find('other', false)).toBeDefined()
  expect(Date.now() - started).toBeLessThan(slackMs)
})
