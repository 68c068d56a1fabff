import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { TurnWord } from '../../src/ring/turn-word.js'

it('is one at a time', () => {
  const words = new Int32Array(new SharedArrayBuffer(8))
  const [one, other] = [new TurnWord(words, 1), new TurnWord(words, 1)]
  expect(one.tryTake()).toBe(true)
  expect(other.tryTake()).toBe(false)
  one.giveBack()
  expect(other.tryTake()).toBe(true)
  expect(words[0]).toBe(0)
})

it('threads that add to a plain word in their turns lose nothing', async () => {
  const shared = new SharedArrayBuffer(8)
  const module = new URL('../../dist/src/ring/turn-word.js', import.meta.url).href
  const source = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(${JSON.stringify(module)}).then(({ TurnWord }) => {
      const words = new Int32Array(workerData)
      const turn = new TurnWord(words, 0)
      for (let round = 0; round < 5_000; round++) {
        turn.take()
        const before = words[1]
        words[1] = before + 1
        turn.giveBack()
      }
      parentPort.postMessage('done')
    })`
  const workers = [0, 1].map(() => new Worker(source, { eval: true, workerData: shared }))
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  await Promise.all(workers.map((worker) => worker.terminate()))
  expect(new Int32Array(shared)[1]).toBe(10_000)
})
