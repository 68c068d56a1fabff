/** A transaction as frames: each topic's messages together, in their order, and answers in the order of the calls. */
import { expect, it } from 'vitest'
import { transactionFrames } from '../../../src/dispatcher/appends/transaction-frames.js'
import type { TopicHandle } from '../../../src/dispatcher/topic-directory.js'
import type { Extras, TransactionParts } from '../../../src/engine/terms.js'
import { Seeded } from '../../support/seeded.js'

type Message = TransactionParts['messages'][number]

const handles = Array.from({ length: 14 }, (_, id) => ({ id, name: `t${id}` }) as TopicHandle)
const topics = { handle: (name: string) => handles.find((handle) => handle.name === name) as TopicHandle }

function drawn(random: Seeded, count: number): Message[] {
  // Few of them, and more than are looked through one by one.
  const among = 1 + random.below(random.chance(0.3) ? handles.length : 3)
  let topic = 0
  return Array.from({ length: count }, (_, index) => {
    if (random.chance(0.6)) topic = random.below(among)
    const extras: Extras | undefined = random.chance(0.2)
      ? { key: Buffer.from([index]), headers: undefined }
      : undefined
    const condition = random.chance(0.2) ? { expectedOffset: 1_000 + index } : undefined
    return { topic: `t${topic}`, value: Buffer.from([index]), extras, condition }
  })
}

it.each(Array.from({ length: 200 }, (_, index) => index + 1))('of any messages (SEED=%i)', (seed) => {
  const random = new Seeded(seed)
  const messages = drawn(random, random.below(40))
  const frames = transactionFrames({ messages, registers: [] }, topics)
  const names = [...new Set(messages.map(({ topic }) => topic))]
  expect(frames.shares.map(({ topic }) => topic.name)).toEqual(names)
  expect(frames.records).toBe(messages.length)
  for (const { topic, values, extras, conditions } of frames.shares) {
    const own = messages.filter((message) => message.topic === topic.name)
    expect(values).toEqual(own.map(({ value }) => value))
    expect(own.map((_, index) => extras[index])).toEqual(own.map((message) => message.extras))
    const asked = own.flatMap(({ condition }, ahead) =>
      condition === undefined ? [] : [{ expectedOffset: condition.expectedOffset, ahead }],
    )
    expect(conditions.map(({ expectedOffset, ahead = 0 }) => ({ expectedOffset, ahead }))).toEqual(asked)
    expect(conditions.every(({ isIdNew }) => isIdNew)).toBe(true)
  }
  const framed = frames.shares.flatMap(({ values }) => values)
  expect(frames.places?.map((place) => framed[place]) ?? framed).toEqual(messages.map(({ value }) => value))
  // Past the ring there is one more where none is of the first.
  for (const [index, { conditions }] of frames.telling().shares.entries()) {
    const [first, ...others] = conditions
    expect(first).toMatchObject({ isIdNew: true })
    expect(first.ahead ?? 0).toBe(0)
    const asked = frames.shares[index].conditions
    const isOfFirst = asked.length > 0 && (asked[0].ahead ?? 0) === 0
    expect(isOfFirst ? conditions : others).toEqual(asked)
  }
})

it('what one transaction has said of its messages is in no other one', () => {
  const alone = () => transactionFrames({ messages: [message({})], registers: [] }, topics)
  const message = (more: Partial<Message>): Message => ({
    ...{ topic: 't0', value: Buffer.of(1), extras: undefined, condition: undefined },
    ...more,
  })
  const before = alone()
  const key = { key: Buffer.of(7), headers: undefined }
  transactionFrames(
    { messages: [message({}), message({ extras: key, condition: { expectedOffset: 1 } })], registers: [] },
    topics,
  )
  for (const frames of [before, alone()]) {
    expect(frames.shares[0].conditions).toEqual([])
    expect(frames.shares[0].extras[0]).toBeUndefined()
  }
})
