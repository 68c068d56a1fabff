import v8 from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { RingMemory } from '../../src/ring/append-ring.js'
import { GroupMailboxes } from '../../src/ring/group-mailboxes.js'
import { TopicCells } from '../../src/ring/topic-cells.js'

const ringBytes = 8 << 20
const allocate = () => [RingMemory.allocate(ringBytes), TopicCells.allocate(), GroupMailboxes.allocate()]

const allocateLogs = () => Array.from({ length: 6 }, allocate)

it('what logs share takes no memory before it is touched, also in a process that has closed others', async () => {
  v8.setFlagsFromString('--expose-gc')
  const collect = async () => {
    const gc = runInNewContext('gc') as () => void
    // What one finds, the next has freed: buffers are swept beside the program.
    for (let round = 0; round < 3; round++) {
      gc()
      await new Promise(setImmediate)
    }
  }
  // A large buffer that is freed makes glibc take the next ones from its heap.
  new ArrayBuffer(31 << 20)
  await collect()
  allocateLogs()
  // Behind them, so that their place stays a part of the heap when they are freed.
  const behind = Array.from({ length: 64 }, () => new ArrayBuffer(64 << 10))
  await collect()
  const before = process.memoryUsage.rss()
  const logs = allocateLogs()
  expect(process.memoryUsage.rss() - before).toBeLessThan(40 << 20)
  expect(new RingMemory(logs[0][0]).capacity).toBe(ringBytes)
  expect(behind.length).toBe(64)
})
