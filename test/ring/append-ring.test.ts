import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameBytes, frameHeaderBytes, frameKind, frameWord, kindOf } from '../../src/format/frame-layout.js'
import { RingConsumer, RingMemory, RingProducer } from '../../src/ring/append-ring.js'
import { putFrame, sizeOf, type TestFrame } from '../support/frames.js'
import { sharedWords } from '../support/shared-words.js'

interface Ring {
  producer: RingProducer
  consumer: RingConsumer
}

/** @param start the position at which the ring begins, as if so much had passed through it */
function ringOf(capacity: number, start = 0, settledHead?: () => number): Ring {
  const shared = RingMemory.allocate(capacity)
  const { lane } = sharedWords()
  lane.ringTail.store(start)
  lane.ringHead.store(start)
  // Each side has its own views, as in two threads.
  return {
    producer: new RingProducer(new RingMemory(shared), lane.ringTail, lane.ringHead, settledHead),
    consumer: new RingConsumer(new RingMemory(shared), lane.ringTail, lane.ringHead),
  }
}

function write({ producer }: Ring, frame: TestFrame): boolean {
  const at = producer.place(sizeOf(frame))
  if (at < 0) return false
  producer.advance(putFrame(producer.memory.bytes, producer.memory.words, at, frame) - at)
  return true
}

/** Takes what is published, at most `limit` frames, as the writer does: topics and values in order. */
function take({ consumer }: Ring, limit: number): { topic: number; value: Uint8Array }[] {
  const { memory } = consumer
  const taken: { topic: number; value: Uint8Array }[] = []
  const tail = consumer.loadTail()
  while (taken.length < limit && tail > consumer.head) {
    const at = consumer.head & memory.mask
    const untilEnd = memory.capacity - at
    if (untilEnd < frameHeaderBytes) {
      consumer.releaseTo(consumer.head + untilEnd)
      continue
    }
    const length = memory.words[(at >>> 2) + frameWord.length]
    const size = frameBytes(length)
    expect(size).toBeLessThanOrEqual(untilEnd)
    if (kindOf(memory.words[(at >>> 2) + frameWord.tail]) === frameKind.data) {
      const start = at + frameHeaderBytes
      const topic = memory.words[(at >>> 2) + frameWord.topic]
      taken.push({ topic, value: memory.bytes.slice(start, start + length) })
    } else {
      expect(kindOf(memory.words[(at >>> 2) + frameWord.tail])).toBe(frameKind.padding)
      expect(at + size).toBe(memory.capacity)
    }
    consumer.releaseTo(consumer.head + size)
  }
  return taken
}

type Step = { write: number } | { publish: true } | { take: number }

const capacity = 1_024
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.nat(capacity / 4 - frameHeaderBytes).map((write) => ({ write })) },
    { weight: 2, arbitrary: fc.constant({ publish: true } as const) },
    { weight: 3, arbitrary: fc.nat(12).map((take) => ({ take })) },
  ),
  { maxLength: 120 },
)

/** Runs the steps against a queue as the model. */
function runAgainstModel(ring: Ring, script: readonly Step[]): void {
  const { producer, consumer } = ring
  const handedOver: { topic: number; value: Uint8Array }[] = []
  let unpublished: { topic: number; value: Uint8Array }[] = []
  let count = 0
  for (const step of script) {
    if ('write' in step) {
      const frame = { topic: count, value: new Uint8Array(step.write).fill(count + 1) }
      const used = producer.usedBytes
      const hasRoom = producer.hasRoom(sizeOf(frame))
      const isWritten = write(ring, frame)
      // What does not fit now says so in advance, and takes nothing.
      expect(isWritten).toBe(hasRoom)
      if (isWritten) unpublished.push(frame)
      else expect(producer.usedBytes).toBe(used)
      // An empty ring takes any frame up to its share.
      if (used === 0) expect(isWritten).toBe(true)
      count += 1
    } else if ('publish' in step) {
      producer.publish()
      handedOver.push(...unpublished)
      unpublished = []
    } else {
      const taken = take(ring, step.take)
      expect(taken).toEqual(handedOver.splice(0, taken.length))
      if (taken.length < step.take) expect(handedOver).toEqual([])
    }
    expect(producer.usedBytes).toBeGreaterThanOrEqual(0)
    expect(producer.usedBytes).toBeLessThanOrEqual(capacity)
  }
  producer.publish()
  handedOver.push(...unpublished)
  expect(take(ring, Number.POSITIVE_INFINITY)).toEqual(handedOver)
  expect(producer.usedBytes).toBe(0)
  expect(producer.tail).toBe(consumer.head)
}

describe('append ring', () => {
  it('hands every frame over once, whole and in order, whatever the sizes, wraps and pauses', () => {
    fc.assert(
      fc.property(steps, (script) => runAgainstModel(ringOf(capacity), script)),
      { numRuns: 300 },
    )
  })

  it.each([
    ['2^31, where a signed word would turn negative', 2 ** 31],
    ['2^32, where a word would start again at 0', 2 ** 32],
  ])('goes on across position %s', (_, wrap) => {
    const shared = ringOf(1 << 20, wrap - (1 << 20))
    for (let round = 0; round < 40; round++) {
      for (let index = 0; index < 10; index++) {
        const frame = { topic: index, value: new Uint8Array(9_000).fill(round) }
        expect(write(shared, frame)).toBe(true)
      }
      expect(shared.producer.usedBytes).toBeGreaterThan(90_000)
      shared.producer.publish()
      const taken = take(shared, Number.POSITIVE_INFINITY)
      expect(taken.map(({ topic }) => topic)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      expect(taken.every(({ value }) => value.length === 9_000 && value.every((byte) => byte === round))).toBe(true)
    }
    // It did cross the place.
    expect(shared.producer.tail).toBeGreaterThan(wrap)
    expect(shared.consumer.head).toBe(shared.producer.tail)
  })

  it('obeys the same model across 2^31 and 2^32', () => {
    for (const wrap of [2 ** 31, 2 ** 32]) {
      const ring = ringOf(capacity, wrap - 64 * capacity)
      // Full at every crossing, so that the comparison decides.
      const script: Step[] = []
      for (let round = 0; round < 120; round++) {
        for (let frame = 0; frame < 9; frame++) script.push({ write: 100 + ((round + frame) % 40) })
        script.push({ publish: true }, { take: 4 })
      }
      runAgainstModel(ring, script)
      expect(ring.producer.tail).toBeGreaterThan(wrap)
    }
  })

  it('skips an end of 8 bytes, too short for a frame, without a frame', () => {
    const ring = ringOf(capacity)
    expect(write(ring, { topic: 1, value: new Uint8Array(capacity - 8 - frameHeaderBytes) })).toBe(true)
    ring.producer.publish()
    expect(take(ring, 10)).toHaveLength(1)
    expect(ring.producer.tail & ring.producer.memory.mask).toBe(capacity - 8)
    ring.producer.memory.bytes.fill(0xff, capacity - 8)
    expect(write(ring, { topic: 2, value: Uint8Array.of(5) })).toBe(true)
    ring.producer.publish()
    expect(take(ring, 10)).toEqual([{ topic: 2, value: Uint8Array.of(5) }])
    // Nothing was written into the gap.
    expect(ring.producer.memory.bytes.subarray(capacity - 8).every((byte) => byte === 0xff)).toBe(true)
  })

  it('fills an end of exactly one frame header with padding of length 0', () => {
    const ring = ringOf(capacity)
    expect(write(ring, { topic: 1, value: new Uint8Array(capacity - 16 - frameHeaderBytes) })).toBe(true)
    ring.producer.publish()
    expect(take(ring, 10)).toHaveLength(1)
    expect(write(ring, { topic: 2, value: Uint8Array.of(5) })).toBe(true)
    ring.producer.publish()
    expect(take(ring, 10)).toEqual([{ topic: 2, value: Uint8Array.of(5) }])
  })

  it('can be filled to its last byte, and then takes nothing until space is freed', () => {
    const ring = ringOf(capacity)
    const frame = (topic: number) => ({ topic, value: new Uint8Array(128 - frameHeaderBytes) })
    for (let topic = 0; topic < 8; topic++) expect(write(ring, frame(topic))).toBe(true)
    expect(ring.producer.usedBytes).toBe(capacity)
    expect(write(ring, frame(8))).toBe(false)
    expect(ring.producer.hasRoom(8)).toBe(false)
    ring.producer.publish()
    expect(take(ring, 1)).toHaveLength(1)
    expect(write(ring, frame(8))).toBe(true)
    expect(write(ring, frame(9))).toBe(false)
  })

  it('shows the consumer nothing that was not published', () => {
    const ring = ringOf(capacity)
    write(ring, { topic: 1, value: new Uint8Array(8) })
    expect(ring.producer.unpublishedBytes).toBe(24)
    expect(take(ring, 10)).toEqual([])
    ring.producer.publish()
    expect(ring.producer.unpublishedBytes).toBe(0)
    expect(take(ring, 10)).toHaveLength(1)
  })

  it('overwrites freed space only as far as the dispatcher has settled it', () => {
    let settled = 0
    const ring = ringOf(capacity, 0, () => settled)
    const frame = (topic: number) => ({ topic, value: new Uint8Array(256 - frameHeaderBytes) })
    for (let topic = 0; topic < 4; topic++) write(ring, frame(topic))
    ring.producer.publish()
    expect(take(ring, 4)).toHaveLength(4)
    expect(write(ring, frame(4))).toBe(false)
    settled = 256
    expect(write(ring, frame(4))).toBe(true)
    expect(write(ring, frame(5))).toBe(false)
  })
})
