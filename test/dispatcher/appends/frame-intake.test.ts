import { MessageChannel } from 'node:worker_threads'
import { expect, it, onTestFinished } from 'vitest'
import { FrameIntake } from '../../../src/dispatcher/appends/frame-intake.js'
import { TopicDirectory } from '../../../src/dispatcher/topic-directory.js'
import { wakes } from '../../../src/dispatcher/watch.js'
import { frameBytes } from '../../../src/format/frame-layout.js'
import { RingConsumer, RingMemory, RingProducer } from '../../../src/ring/append-ring.js'
import { writerState } from '../../../src/ring/shared-state.js'
import { TopicCells } from '../../../src/ring/topic-cells.js'
import { outcomeOf, topicState } from '../../support/groups.js'
import { sharedWords } from '../../support/shared-words.js'

const ringBytes = 64 << 10

function world(bytes = ringBytes) {
  const { state, lanes, lane } = sharedWords()
  const shared = RingMemory.allocate(bytes)
  const ring = new RingProducer(new RingMemory(shared), lane.ringTail, lane.ringHead)
  const consumer = new RingConsumer(new RingMemory(shared), lane.ringTail, lane.ringHead)
  const { port1: bulk, port2 } = new MessageChannel()
  onTestFinished(() => {
    bulk.close()
    port2.close()
  })
  const topics = new TopicDirectory([topicState(0, 'a', 0)], new TopicCells(TopicCells.allocate()))
  const watch = { register: () => {}, begin: () => {}, checkWorkers: () => {} }
  const intake = new FrameIntake({ state, lanes, lane, ring, topics, watch, bulk, directory: '/log' })
  const topic = topics.handle('a')
  const write = (bytes: number) =>
    intake.writeMessage(topic, new Uint8Array(bytes), undefined, frameBytes(bytes), 0) >= 0
  const takeAll = () => consumer.releaseTo(consumer.loadTail())
  /** As full as it gets with messages of this size. */
  const fill = (bytes: number) => {
    while (write(bytes));
    intake.publish()
  }
  return { state, lane, ring, intake, topic, write, takeAll, fill }
}

it('frames are published at the end of the turn, all at once', async () => {
  const { lane, ring, write } = world()
  write(100)
  write(100)
  expect(lane.ringTail.load()).toBe(0)
  await Promise.resolve()
  expect(lane.ringTail.load()).toBe(ring.tail)
})

it('what the device is awaited with is handed over in larger parts, so that one flush does for more of it', () => {
  const large = 4 << 20
  const step = 1_000
  const handedOverBy = (isAwaited: boolean) => {
    const { lane, intake, write } = world(large)
    if (isAwaited) intake.wantFlush()
    let bytes = 0
    for (; lane.ringTail.load() === 0; bytes += step) write(step)
    return bytes
  }
  expect(handedOverBy(false)).toBeLessThan(20_000)
  expect(handedOverBy(true)).toBeGreaterThan(200_000)
  expect(handedOverBy(true)).toBeLessThan(large / 4)
})

it('the wish for a flush is there before the frames that it is about', () => {
  const { lane, ring, intake, write } = world()
  const store = lane.ringTail.store.bind(lane.ringTail)
  const wanted: number[] = []
  lane.ringTail.store = (value) => {
    wanted.push(lane.flushWished.load())
    store(value)
  }
  write(100)
  intake.publish()
  const before = ring.tail
  intake.wantFlush()
  write(100)
  intake.publish()
  write(100)
  intake.publish()
  expect(wanted).toEqual([0, 2 * before, 2 * before])
})

it('what waits for room goes on in order, one by one, and nothing overtakes it', () => {
  const { intake, topic, write, takeAll, fill } = world()
  fill(15_000)
  const order: number[] = []
  for (const number of [1, 2]) {
    const writeNow = () => {
      if (!write(15_000)) return false
      order.push(number)
      return true
    }
    intake.hold(writeNow, () => order.push(-number))
  }
  // There is room for this one.
  expect(intake.offer(topic, new Uint8Array(1), undefined)).toBe(false)
  expect(intake.wakesAt()).toBe(wakes.withEveryBatch)
  intake.proceed()
  expect([order, intake.heldCount]).toEqual([[], 2])
  takeAll()
  intake.proceed()
  expect([order, intake.heldCount, intake.wakesAt()]).toEqual([[1, 2], 0, wakes.never])
  expect(intake.offer(topic, new Uint8Array(1), undefined)).toBe(true)
})

it('whoever was refused is told when the ring is half empty, and the writer where that is', async () => {
  const { lane, ring, intake, topic, takeAll, fill } = world()
  fill(1_000)
  expect(intake.offer(topic, new Uint8Array(1_000), undefined)).toBe(false)
  const ready = outcomeOf(new Promise<void>((resolve, reject) => intake.whenRoom(resolve, reject)))
  expect(intake.wakesAt()).toBe(ring.tail - ringBytes / 2)
  intake.proceed()
  await Promise.resolve()
  expect([ready.state, lane.ringHead.load()]).toEqual(['pending', 0])
  takeAll()
  intake.proceed()
  await Promise.resolve()
  expect([ready.state, intake.wakesAt()]).toEqual(['done', wakes.never])
})

it('a full disk refuses what waits for room', () => {
  const { state, intake, write, fill } = world()
  fill(15_000)
  const refused: unknown[] = []
  intake.hold(
    () => write(15_000),
    (error) => refused.push(error),
  )
  state.writerState.store(writerState.noSpace)
  state.writerErrno.store(28)
  intake.proceed()
  expect(refused).toMatchObject([{ code: 'BOOKEND_NO_SPACE' }])
  expect(intake.heldCount).toBe(0)
})

it('only so much travels past the ring, until the writer has taken it', () => {
  const { write, takeAll, intake } = world()
  expect(write(20 << 20)).toBe(true)
  expect(write(20 << 20)).toBe(false)
  intake.publish()
  takeAll()
  expect(write(20 << 20)).toBe(true)
})

it('whoever fails between finding a place and filling it leaves nothing behind', () => {
  const { ring, intake, topic, write } = world()
  write(100)
  const before = ring.tail
  const value = { length: 100 } as unknown as Uint8Array
  const failing = new Proxy(value, {
    get(_, name) {
      if (name === 'length') return 100
      throw new Error('in the middle')
    },
  })
  expect(() => intake.writeMessage(topic, failing, undefined, frameBytes(100), 0)).toThrow('in the middle')
  expect(ring.tail).toBe(before)
  write(100)
  expect(ring.tail).toBe(before + frameBytes(100))
})
