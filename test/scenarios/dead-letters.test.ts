import { connect, type DeadLetterBox, type Log, open } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { OwnerThread } from '../support/owner-thread.js'
import { codedFailureOf, openLog, small, temporaryFolder, until } from './support.js'

async function addLetters(log: Log, count: number): Promise<void> {
  for (let offset = 0; offset < count; offset++) {
    const headers = { 'bookend-topic': 'orders', 'bookend-offset': `${offset}`, 'bookend-attempts': '1' }
    await log.topic('failed').append(new Uint8Array(1), { headers })
  }
}

async function offsetsIn(box: DeadLetterBox): Promise<number[]> {
  return (await box.list()).map(({ offset }) => offset)
}

const isOdd = ({ offset }: { offset: number }) => offset % 2 === 1

it('what was settled by a filter stays settled when the log is opened again, for a follower and for a thread', async () => {
  const directory = temporaryFolder()
  const first = await openLog(directory)
  await addLetters(first, 6)
  await first.deadLetters('failed').redrive({ filter: isOdd })
  await first.close()

  const owner = await OwnerThread.start(directory, small)
  onTestFinished(() => owner.close())
  const log = await connect(owner.port)
  expect(await offsetsIn(log.deadLetters('failed'))).toEqual([0, 2, 4])
  const follower = await open(directory, { readers: 1, readOnly: true, follow: true })
  onTestFinished(() => follower.close())
  expect(await offsetsIn(follower.deadLetters('failed'))).toEqual([0, 2, 4])
  expect((await codedFailureOf(() => follower.deadLetters('failed').redrive())).code).toBe('BOOKEND_READ_ONLY')
  expect((await codedFailureOf(() => follower.deadLetters('failed').discard())).code).toBe('BOOKEND_READ_ONLY')

  expect(await log.deadLetters('failed').discard({ filter: ({ offset }) => offset < 4 })).toEqual({ discarded: 2 })
  expect(await offsetsIn(log.deadLetters('failed'))).toEqual([4])
  expect(await log.topic('failed').bounds()).toEqual({ first: 4, next: 6 })
  // It looks at what the owner's file says, when it is asked.
  await until('the follower sees it', async () => (await offsetsIn(follower.deadLetters('failed'))).length === 1)
  expect((await log.groups()).find(({ name }) => name === 'dead-letters')).toMatchObject({ topic: 'failed', lag: 1 })
  await log.close()
})
