import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { TopicNames } from '../../src/ring/topic-names.js'

const known = [
  { id: 0, name: 'a' },
  { id: 3, name: 'b' },
]

describe('names of topics', () => {
  it('have one number each, for all who share the table, and new ones go on behind those of the log', () => {
    const shared = TopicNames.allocate(known, 5, 4)
    const [mine, others] = [new TopicNames(shared), new TopicNames(shared)]
    expect([mine.find('a'), others.find('b'), mine.find('c'), others.openedBelow]).toEqual([0, 3, -1, 4])
    expect([others.intern('c'), mine.intern('c'), mine.find('c'), mine.intern('d')]).toEqual([5, 5, 5, 6])
    expect([...others.entries()].sort((x, y) => x.id - y.id)).toEqual([
      ...known,
      { id: 5, name: 'c' },
      { id: 6, name: 'd' },
    ])
  })

  it('are told apart by all of their letters', () => {
    const names = new TopicNames(TopicNames.allocate([], 0, 0))
    const all = Array.from({ length: 5_000 }, (_, index) => `t${index}`.padEnd(1 + (index % 200), 'x'))
    const numbers = all.map((name) => names.intern(name))
    expect(new Set(numbers).size).toBe(new Set(all).size)
    expect(all.map((name) => names.find(name))).toEqual(numbers)
  })

  it('are visible when they are whole: wherever their thread dies, others find nothing of it or all', () => {
    const { store, compareExchange } = Atomics
    const shared = TopicNames.allocate(known, 5, 4)
    const [dying, other] = [new TopicNames(shared), new TopicNames(shared)]
    Atomics.compareExchange = (() => {
      throw new Error('ended')
    }) as typeof Atomics.compareExchange
    expect(() => dying.intern('half')).toThrow('ended')
    Object.assign(Atomics, { store, compareExchange })
    expect(other.find('half')).toBe(-1)
    // Its number is nobody's.
    expect([other.intern('half'), dying.find('half')]).toEqual([6, 6])
  })

  it('get one number where threads ask for it at once', async () => {
    const shared = TopicNames.allocate([], 0, 0)
    const module = new URL('../../dist/src/ring/topic-names.js', import.meta.url).href
    const code = `
      const { workerData, parentPort } = require('node:worker_threads')
      import(${JSON.stringify(module)}).then(({ TopicNames }) => {
        const names = new TopicNames(workerData)
        parentPort.postMessage(Array.from({ length: 20_000 }, (_, index) => names.intern('t' + index)))
      })`
    const workers = [1, 2, 3].map(() => new Worker(code, { eval: true, workerData: shared }))
    const [first, ...others] = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]))
    expect(new Set(first).size).toBe(20_000)
    for (const numbers of others) expect(numbers).toEqual(first)
  })
})
