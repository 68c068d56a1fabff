import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { TurnWord } from '../../src/ring/turn-word.js'

it('is one at a time, and nobody has it twice', () => {
  const words = new Int32Array(new SharedArrayBuffer(8))
  const [one, other] = [new TurnWord(words, 1), new TurnWord(words, 1)]
  expect(one.tryTake('writer')).toBe(true)
  expect([other.tryTake('reaper'), one.tryTake('writer')]).toEqual([false, false])
  expect([other.isOf('writer'), one.isOf('reaper')]).toEqual([true, false])
  one.giveBack('writer')
  expect(other.isOf('writer')).toBe(false)
  expect(other.tryTake('reaper')).toBe(true)
  expect(words[0]).toBe(0)
})

it('is given back by who has it, or by the next thread in its place, and by nobody else', () => {
  const words = new Int32Array(new SharedArrayBuffer(4))
  const [one, other, next] = [0, 1, 2].map(() => new TurnWord(words, 0))
  one.take('reaper')
  other.giveBack('writer')
  expect(other.tryTake('writer')).toBe(false)
  next.giveBack('reaper')
  expect(other.tryTake('writer')).toBe(true)
  next.giveBack('reaper')
  expect(next.tryTake('reaper')).toBe(false)
})

it('threads that add to a plain word in their turns lose nothing', async () => {
  const shared = new SharedArrayBuffer(8)
  const module = new URL('../../dist/src/ring/turn-word.js', import.meta.url).href
  const source = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(${JSON.stringify(module)}).then(({ TurnWord }) => {
      const { shared, taker } = workerData
      const words = new Int32Array(shared)
      const turn = new TurnWord(words, 0)
      for (let round = 0; round < 5_000; round++) {
        turn.take(taker)
        const before = words[1]
        words[1] = before + 1
        turn.giveBack(taker)
      }
      parentPort.postMessage('done')
    })`
  const takers = ['application', 'writer']
  const workers = takers.map((taker) => new Worker(source, { eval: true, workerData: { shared, taker } }))
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  await Promise.all(workers.map((worker) => worker.terminate()))
  expect(new Int32Array(shared)[1]).toBe(10_000)
})
