import { text } from 'bookend'
import { expect, it } from 'vitest'
import {
  codedFailureOf,
  collect,
  openLog,
  overwrite,
  placeOf,
  segmentFile,
  temporaryFolder,
} from '../scenarios/support.js'

const queueOf = async (directory = temporaryFolder()) => {
  const log = await openLog(directory)
  return { log, queue: log.queue('q', { codec: text }), directory }
}

async function pushed(count: number) {
  const found = await queueOf()
  await Promise.all(Array.from({ length: count }, (_, index) => found.queue.push(`m${index}`)))
  return found
}

it('a message that was popped is gone after a restart, the rest is there', async () => {
  const { log, queue, directory } = await pushed(10)
  for (let number = 0; number < 4; number++) await queue.pop()
  await log.close()
  const again = await queueOf(directory)
  expect(await again.queue.size()).toBe(6)
  expect(await collect(again.queue.browse())).toEqual(['m4', 'm5', 'm6', 'm7', 'm8', 'm9'])
  expect(await again.queue.pop()).toBe('m4')
})

it('what clear has dropped is not there either when the log is opened again', async () => {
  const { log, queue, directory } = await pushed(100)
  await queue.clear()
  await queue.push('after')
  await log.close()
  const again = await queueOf(directory)
  expect(await again.queue.size()).toBe(1)
  expect(await again.queue.pop()).toBe('after')
  await again.queue.clear()
  await again.queue.clear()
})

it('damage is reported, popped over with a seek, and hides nothing behind it', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  for (let number = 0; number < 40; number++) await log.queue('q').push(new Uint8Array(40_000).fill(number + 1))
  await log.close()
  const file = segmentFile(directory, 0)
  overwrite(file, placeOf(file, 4), new Uint8Array([0xee]))
  const reopened = await openLog(directory)
  const queue = reopened.queue('q')
  for (let number = 0; number < 3; number++) expect((await queue.pop())?.[0]).toBe(number + 1)
  const error = await codedFailureOf(() => queue.pop())
  expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 3 })
  expect(await codedFailureOf(() => queue.pop())).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 3 })
  await reopened
    .topic('q')
    .group('queue')
    .seek(error.next as number)
  for (let number = error.next as number; number < 40; number++) expect((await queue.pop())?.[0]).toBe(number + 1)
})
