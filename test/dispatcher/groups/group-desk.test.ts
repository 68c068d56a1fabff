import { setImmediate as turn } from 'node:timers/promises'
import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { GroupDesk, GroupRemovedError } from '../../../src/dispatcher/groups/group-desk.js'
import { groupWorld, outcomeOf } from '../../support/groups.js'
import { emptyJournal, storedGroup } from '../../support/stored-groups.js'

interface Wait {
  resolve(): void
  reject(error: unknown): void
}

/** A desk of a topic whose messages, and whose end, are the test's to make. */
class DeskWorld {
  next = 0
  failure: unknown
  /** Who waits for the next message. */
  readonly waits = new Set<Wait>()
  readonly desk: GroupDesk

  constructor() {
    this.desk = new GroupDesk({
      ...storedGroup(),
      first: () => 0,
      next: () => this.next,
      checkOpen() {},
      onSkipped() {},
      whenNext: (offset, resolve, reject) => {
        if (this.next > offset) resolve()
        else if (this.failure !== undefined) reject(this.failure)
        else {
          const wait = { resolve, reject }
          this.waits.add(wait)
          return () => this.waits.delete(wait)
        }
        return () => {}
      },
    })
  }

  async open(): Promise<this> {
    await this.desk.open('first')
    return this
  }

  publish(count: number): void {
    this.next += count
    const waits = [...this.waits]
    this.waits.clear()
    for (const { resolve } of waits) resolve()
  }
}

it('who asks after the log has failed is told so, and not only the first', async () => {
  const world = await new DeskWorld().open()
  const waiting = outcomeOf(world.desk.request(1).lease)
  world.failure = new Error('the writer thread died')
  for (const { reject } of world.waits) reject(world.failure)
  const later = [1, 2, 3].map(() => outcomeOf(world.desk.request(1).lease))
  await turn()
  for (const outcome of [waiting, ...later]) expect(outcome).toMatchObject({ state: 'failed', error: world.failure })
})

it('who asks again in the moment in which all are refused waits anew, and is served', async () => {
  const world = await new DeskWorld().open()
  world.publish(1)
  const lease = world.desk.take(1)
  if (lease === undefined) throw new Error('there is a message')
  let again: ReturnType<typeof outcomeOf> | undefined
  world.desk.extend({
    lease,
    end: 1,
    room: () => 1,
    onExtended() {},
    onOver: () => {
      again = outcomeOf(world.desk.request(1).lease)
    },
  })
  world.desk.reject(new Error('refused'))
  world.publish(1)
  await turn()
  expect(again?.state).toBe('done')
})

it('requests that were given up do not gather behind one that waits for ever', async () => {
  v8.setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const world = await new DeskWorld().open()
  const first = outcomeOf(world.desk.request(1).lease)
  const givenUp: WeakRef<Promise<unknown>>[] = []
  for (let count = 0; count < 2_000; count++) {
    const { lease, cancel } = world.desk.request(1)
    givenUp.push(new WeakRef(lease))
    expect(cancel()).toBe(true)
    if (count % 100 === 0) await turn()
  }
  await turn()
  collect()
  expect(givenUp.filter((request) => request.deref() !== undefined).length).toBeLessThan(200)
  world.publish(1)
  await turn()
  expect(first.state).toBe('done')
})

/** A desk of a group that is not there, whose creation is the test's to end. */
function deskToBe() {
  const creations: { succeed(): void; fail(error: Error): void }[] = []
  const stored = { id: 0, topic: 't', name: 'g', state: { committed: 0, ranges: [] }, journal: emptyJournal() }
  let known: typeof stored | undefined
  const removed: string[] = []
  const groups = storedGroup()
  const desk = new GroupDesk({
    ...groups,
    registry: {
      ...groups.registry,
      known: () => known,
      open: () =>
        new Promise((resolve, reject) => {
          const succeed = () => {
            known = stored
            resolve(stored)
          }
          creations.push({ succeed, fail: reject })
        }),
      remove: async ({ name }) => {
        known = undefined
        removed.push(name)
      },
    },
    ...{ first: () => 0, next: () => 0, whenNext: () => () => {}, checkOpen() {}, onSkipped() {} },
  })
  return { desk, creations, removed }
}

it('those who open a group at the same time make it once', async () => {
  const { desk, creations } = deskToBe()
  const openings = [desk.open('first'), desk.open('next')]
  expect(creations).toHaveLength(1)
  expect(desk.needsOpen).toBe(true)
  creations[0].succeed()
  await Promise.all(openings)
  expect(desk.needsOpen).toBe(false)
  await desk.open('first')
  expect(creations).toHaveLength(1)
})

it('a group that could not be made is made by who opens it next', async () => {
  const { desk, creations } = deskToBe()
  const opening = desk.open('first')
  creations[0].fail(new Error('the disk is full'))
  await expect(opening).rejects.toThrow('the disk is full')
  expect(desk.needsOpen).toBe(true)
  const next = desk.open('first')
  creations[1].succeed()
  await next
  expect(desk.needsOpen).toBe(false)
})

it('a group that is removed while it is being made is removed when it is there, and who waits in it is told so', async () => {
  const { desk, creations, removed } = deskToBe()
  const asked = desk.open('first').then(() => outcomeOf(desk.request(1).lease))
  const removing = desk.remove()
  await turn()
  expect(removed).toEqual([])
  creations[0].succeed()
  const outcome = await asked
  await removing
  expect(removed).toEqual(['g'])
  expect([desk.exists, desk.removals]).toEqual([false, 1])
  expect(outcome).toMatchObject({ state: 'failed', error: expect.any(GroupRemovedError) })
  const anew = desk.open('first')
  creations[1].succeed()
  await anew
  expect(desk.ledger.generation).toBe(1)
})

it('a removal is not kept from its end by a creation that fails', async () => {
  const { desk, creations, removed } = deskToBe()
  const opening = desk.open('first')
  const removing = desk.remove()
  creations[0].fail(new Error('the disk is full'))
  await expect(opening).rejects.toThrow('the disk is full')
  await removing
  expect([desk.exists, removed]).toEqual([false, []])
})

it('the books of a group that is not open are nobody’s to look at', () => {
  const { desk } = deskToBe()
  expect(() => desk.ledger).toThrow('the books are looked at once the group is open')
  expect(() => desk.refreshed()).toThrow('the books are looked at once the group is open')
})

it('a group that is removed when it is there, and its desk is about to open, is removed when it has opened', async () => {
  const world = groupWorld()
  const { registry, commits, mailboxes } = world
  const books = { registry, commits, topic: { id: 0, name: 't' }, name: 'g' }
  const desk = new GroupDesk({
    ...books,
    ...{ first: () => 0, next: () => 10, whenNext: () => () => {} },
    checkOpen() {},
    onSkipped() {},
  })
  let removing: Promise<void> | undefined
  const setTopic = mailboxes.setTopic.bind(mailboxes)
  mailboxes.setTopic = (cell, topic) => {
    setTopic(cell, topic)
    // In the turn of the registry, in front of what waits for it.
    queueMicrotask(() => {
      if (removing !== undefined) return
      expect([registry.known('t', 'g') !== undefined, desk.needsOpen]).toEqual([true, true])
      removing = desk.remove()
    })
  }
  const opening = desk.open('first')
  await world.settle(8)
  await opening
  await world.settle(8)
  await removing
  expect([registry.known('t', 'g'), desk.exists, desk.removals]).toEqual([undefined, false, 1])
})
