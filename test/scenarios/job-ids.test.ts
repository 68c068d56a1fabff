/** Jobs that wait under ids are known in the next life, as far as they wait: those in the queue, and those that are scheduled. */
import { json } from 'bookend'
import { expect, it } from 'vitest'
import { openLog, temporaryFolder } from './support.js'

it('a job that waits longer than its window is known after a restart, behind many that are done', async () => {
  const directory = temporaryFolder()
  const options = { codec: json, dedupe: { windowMs: 1 } }
  const log = await openLog(directory)
  const queue = log.queue('jobs', options)
  for (let index = 0; index < 3_000; index++) log.topic('jobs', { codec: json }).offer(index)
  await queue.clear()
  await Promise.all(Array.from({ length: 1_500 }, (_, index) => queue.push(index, { id: `waits ${index}` })))
  const tickets = await Promise.all([1, 2, 3].map((n) => queue.push(n, { id: `later ${n}`, delayMs: 3_600_000 })))
  await queue.cancel(tickets[2] as Exclude<(typeof tickets)[number], number>)
  // Part of it is done.
  for (let index = 0; index < 100; index++) await queue.pop()
  await log.close()

  const again = (await openLog(directory)).queue('jobs', options)
  expect(await again.push('again', { id: 'waits 1400' })).toBe(4_400)
  expect(await again.push('again', { id: 'later 2' })).toEqual(tickets[1])
  expect(await again.push('anew', { id: 'waits 3' })).toBe(4_500)
  expect(await again.push('anew', { id: 'later 3' })).toBe(4_501)
  expect(await again.size()).toBe(1_402)
})
