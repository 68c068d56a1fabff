import { expect, it } from 'vitest'
import { maxTopics } from '../../../src/limits.js'
import { AppendWorld } from '../../support/append-side.js'
import { outcomeOf, topicState } from '../../support/groups.js'

/** Turns of the event loop, in each of which the writer takes what is there. */
async function turns(world: AppendWorld, count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    world.takeAll()
    await new Promise(setImmediate)
  }
}

/** More than half of the ring, so that the next one waits for room. */
const large = new Uint8Array(15_000)

it('an append that waits for room and cannot be written fails alone: those behind it go on', async () => {
  const world = new AppendWorld([topicState(0, 'a', 0), topicState(maxTopics - 2, 'last but one', 0)])
  const { appends, topics } = world
  const append = (topic: string, bytes: number) =>
    outcomeOf(appends.append(topics.handle(topic), new Uint8Array(bytes), undefined, 'process'))
  const filling = Array.from({ length: 5 }, () => append('a', large.length))
  const last = append('the last one', 10)
  const tooMany = append('one too many', 10)
  const behind = append('a', 10)
  const flush = outcomeOf(appends.flush('process'))
  expect(appends.overflowCount).toBeGreaterThan(3)
  await turns(world)
  expect(tooMany).toMatchObject({ state: 'failed', error: { code: 'BOOKEND_NO_SPACE' } })
  for (const { state } of [...filling, last, behind, flush]) expect(state).toBe('done')
  const later = append('a', 10)
  await turns(world)
  expect(later.state).toBe('done')
})

it('where settling itself is broken, everybody who waits is told, and everybody who comes', async () => {
  const world = new AppendWorld([topicState(0, 'a', 0)])
  const { appends, topics, commits, state } = world
  const topic = topics.handle('a')
  state.published.store(1)
  const waiting = [
    outcomeOf(appends.append(topic, large, undefined, 'process')),
    outcomeOf(new Promise<void>((resolve, reject) => appends.messages.whenNext(topic, 0, resolve, reject))),
    outcomeOf(appends.flush('disk')),
  ]
  const broken = new Error('an invariant that does not hold')
  commits.settle = () => {
    throw broken
  }
  world.takeAll()
  await turns(world)
  for (const outcome of waiting.slice(1)) expect(outcome).toMatchObject({ state: 'failed', error: broken })
  expect(waiting[0].state).not.toBe('pending')
  await expect(appends.append(topic, large, undefined, 'process')).rejects.toBe(broken)
})

it('what waits for room is a copy, of a Buffer and of a key too', async () => {
  const world = new AppendWorld([topicState(0, 'a', 0)])
  const { appends, topics, memory } = world
  const topic = topics.handle('a')
  for (let count = 0; count < 5; count++) void appends.append(topic, large, undefined, 'process')
  const value = Buffer.alloc(16, 1)
  const key = Buffer.alloc(16, 2)
  const done = [
    outcomeOf(appends.append(topic, value, { key, headers: undefined }, 'process')),
    outcomeOf(appends.appendMany(topic, [value, value], { key, headers: undefined }, 'process')),
  ]
  expect(appends.overflowCount).toBeGreaterThan(2)
  value.fill(9)
  key.fill(9)
  await turns(world)
  expect(done.map(({ state }) => state)).toEqual(['done', 'done'])
  const written = Buffer.from(memory.bytes)
  expect(written.indexOf(Buffer.concat([Buffer.alloc(16, 2), Buffer.alloc(16, 1)]))).toBeGreaterThan(0)
  expect(written.indexOf(Buffer.alloc(16, 9))).toBe(-1)
})
