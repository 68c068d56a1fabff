import { text } from 'bookend'
import { expect, it } from 'vitest'
import { openLog } from '../scenarios/support.js'

it('a follower asks no reader thread for anything while nothing is appended', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: text })
  await topic.append('m0')
  const stream = topic.read({ follow: true })
  await stream.next()
  const pending = stream.next()
  const { tasks } = log.stats().readers
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(log.stats().readers.tasks).toBe(tasks)
  await topic.append('now')
  expect((await pending).value?.value).toBe('now')
  await stream.return()
})
