/**
 * A processor whose handlers append, with threads that die, handlers that fail and disks that are full for a while, in one thread: what its
 * group counts as done has been followed by what was appended for it.
 */
import assert from 'node:assert/strict'
import { BookendError } from '../../src/errors.js'
import { deathOfThisThread, die, ProcessingWorld, setHandler } from './processing.js'
import type { Seeded } from './seeded.js'

const mostMessages = 60
const mostTurns = 4

/** @returns how many messages there were. @throws what was not as promised */
export async function watchHandlerAppends(random: Seeded): Promise<number> {
  const world = new ProcessingWorld()
  const written = new Set<number>()
  const failures: string[] = []
  world.means = {
    data: undefined,
    beginAppends: () => {
      const offsets: number[] = []
      const endThread = deathOfThisThread()
      const write = async () => {
        for (let turn = random.below(mostTurns); turn > 0; turn--) await new Promise(setImmediate)
        // Of a thread that ends, what is under way may be written or not.
        if (random.chance(0.1)) endThread()
        if (random.chance(0.1)) throw new BookendError('BOOKEND_NO_SPACE', 'the disk of the test is full')
        for (const offset of offsets) written.add(offset)
      }
      const append = (_topic: string, offset: unknown) => void offsets.push(offset as number)
      return { append, write: () => (offsets.length === 0 ? undefined : write()), drop: () => {} }
    },
  }
  setHandler((messages, { append }) => {
    for (const { offset } of messages) append('followed', offset)
    if (random.chance(0.05)) return die()
    if (random.chance(0.1)) throw new Error('the handler of the test fails')
    return undefined
  })
  const count = 1 + random.below(mostMessages)
  world.append(Array.from({ length: count }, (_, index) => ({ value: new Uint8Array(8).fill(index) })))
  const desk = world.desk()
  desk.onAcknowledge = (first, end) => {
    for (let offset = first; offset < end; offset++)
      if (!written.has(offset)) failures.push(`message ${offset} is done, and what was appended for it is not written`)
  }
  const processor = world.process(desk, {
    batchSize: 1 + random.below(20),
    order: random.pick(['topic', 'none'] as const),
    retries: 1_000_000,
  })
  await processor.idle()
  await processor.stop()
  assert.deepEqual(failures, [])
  assert.equal(desk.ledger.committed, count)
  return count
}
