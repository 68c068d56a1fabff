/**
 * A processor whose handlers append and schedule, with threads that die, handlers that fail, disks that are full for a while and others who acknowledge, in one
 * thread: each message that its handlers have done has left what it leads to, or a dead letter, exactly once, and no other message has.
 */
import assert from 'node:assert/strict'
import type { Extras } from '../../src/engine/terms.js'
import { BookendError } from '../../src/errors.js'
import { GroupTransactions } from '../../src/local/group-transactions.js'
import { HandlerWrites } from '../../src/local/handler-writes.js'
import { LetterWrites } from '../../src/local/letter-writes.js'
import { HandlerAppends } from '../../src/log/handler-appends.js'
import type { HandledMessages } from '../../src/threads/reader/handler.js'
import { deathOfThisThread, die, never, ProcessingWorld, setHandler } from './processing.js'
import type { Seeded } from './seeded.js'

const mostMessages = 60
const mostTurns = 4
const facts = { durability: 'process', maxMessageBytes: 10_000, messageBytesLimit: 10_000 }
const supports = { transactions: true, schedules: true, durabilities: ['process', 'disk'] }

/** Of a dead letter: offset of the message that it stands for. */
function sourceOf({ extras }: { extras?: Extras | undefined }): number {
  const headers = JSON.parse(Buffer.from(extras?.headers ?? []).toString()) as Record<string, string>
  return Number(headers['bookend-offset'])
}

/** @returns how many messages there were. @throws what was not as promised */
export async function watchHandlerAppends(random: Seeded): Promise<number> {
  const world = new ProcessingWorld()
  const written = new Map<number, number>()
  const byOthers = new Set<number>()
  const failures: string[] = []
  const desk = world.desk()
  const take = async (turns = random.below(mostTurns)) => {
    for (let turn = turns; turn > 0; turn--) await new Promise(setImmediate)
  }
  const note = (offset: number) => written.set(offset, (written.get(offset) ?? 0) + 1)
  let journaled = 0
  const transactions = new GroupTransactions({
    write: async ({ messages }, _, outcome) => {
      await take()
      if (random.chance(0.1)) {
        outcome.refused()
        throw new BookendError('BOOKEND_NO_SPACE', 'the disk of the test is full')
      }
      for (const { topic, value, extras } of messages.slice(0, -1))
        note(topic === 'dead' ? sourceOf({ extras }) : Number(value))
      return outcome.written(messages.map(() => journaled++))
    },
    published: () => 0,
    onWritten() {},
  })
  const writes = new HandlerWrites({
    desk: () => desk,
    // What is scheduled is a message of another topic: which one does not matter here.
    transact: ({ messages, scheduled = [] }, acks, level) => {
      const planned = scheduled.map(({ topic, value, extras }) => ({ topic, value, extras, condition: undefined }))
      const its = acks.map(({ generation, ranges }) => ({ desk, generation, ranges }))
      return transactions.transact({ messages: [...messages, ...planned], registers: [] }, its, [], level)
    },
  })
  const letters = new LetterWrites({
    durability: 'process',
    write: (...call) => writes.write(...call),
    // What ends the process behind it would make another one.
    append: async (_, letter) =>
      failures.push(`the letter of ${sourceOf(letter)} is written, and not its acknowledgement`),
  })
  world.letters = ({ name }, letter, own) => letters.store(name, letter, own && { ...own, topic: 't', group: 'g' })
  world.means = {
    data: undefined,
    beginAppends: () => {
      const endThread = deathOfThisThread()
      const line = {
        say: () => Promise.reject(new Error('the handler of this test says nothing')),
        async write(...call: Parameters<HandlerWrites['write']>) {
          const answer = writes.write(...call)
          // What it has handed over is written all the same.
          if (random.chance(0.1)) {
            answer.catch(() => {})
            endThread()
            return never
          }
          return answer
        },
      }
      return new HandlerAppends<HandledMessages>({ facts, supports } as never, line)
    },
  }
  setHandler((messages, { append, schedule }) => {
    for (const { offset } of messages)
      if (offset % 3 > 0) append('followed', `${offset}`)
      else schedule('followed', `${offset}`, { delayMs: 1 })
    if (random.chance(0.05)) return die()
    if (random.chance(0.1)) throw new Error('the handler of the test fails')
    return undefined
  })
  const count = 1 + random.below(mostMessages)
  world.append(Array.from({ length: count }, (_, index) => ({ value: new Uint8Array(8).fill(index) })))
  desk.onAcknowledge = (first, end) => {
    for (let offset = first; offset < end; offset++)
      if (!written.has(offset) && !byOthers.has(offset))
        failures.push(`message ${offset} is done, and what was appended for it is not written`)
  }
  const isGivingUp = random.chance(0.5)
  const processor = world.process(desk, {
    batchSize: 1 + random.below(20),
    order: random.pick(['topic', 'key', 'none'] as const),
    retries: isGivingUp ? 1 : 1_000_000,
  })
  // Somebody else acknowledges a message that the handlers may be about to do.
  await take(random.below(20))
  const stolen = random.below(count)
  if (!desk.needsOpen && stolen < desk.ledger.next && !desk.ledger.isDone(stolen)) {
    const started = await desk.transactions.isDoneFor(desk.ledger.generation, [{ first: stolen, end: stolen + 1 }])
    if (!started && !desk.ledger.isDone(stolen)) {
      byOthers.add(stolen)
      void desk.acknowledge(desk.ledger, stolen, stolen + 1)
    }
  }
  await processor.idle()
  await processor.stop()
  assert.deepEqual(failures, [])
  assert.equal(desk.ledger.committed, count)
  for (let offset = 0; offset < count; offset++) {
    const times = (written.get(offset) ?? 0) + (byOthers.has(offset) ? 1 : 0)
    assert.equal(times, 1, `message ${offset} was done ${times} times`)
  }
  return count
}
