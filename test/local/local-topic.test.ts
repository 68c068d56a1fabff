/** What reader threads answer is looked at before it leaves the engine, and what goes to the writer before it enters the ring. */
import { expect, it } from 'vitest'
import { TopicDirectory } from '../../src/dispatcher/topic-directory.js'
import { LocalTopic, type TopicHost } from '../../src/local/local-topic.js'
import { LogStage } from '../../src/local/log-stage.js'
import { TopicCells } from '../../src/ring/topic-cells.js'
import { codedFailureOf, failureOf } from '../scenarios/support.js'
import { chunkOf } from '../support/chunks.js'
import { topicState } from '../support/groups.js'

const topicId = 3
const next = 10

/** A topic of ten messages; `host` says who answers for it. */
function topicOf(host: { reads?: object; appends?: object }): LocalTopic {
  const appends = { messages: { firstOf: () => 0, nextOf: () => next }, ...host.appends }
  const parts = { appends, reads: host.reads, stage: new LogStage('/log', false), messageBytesLimit: 100 }
  const directory = new TopicDirectory([topicState(topicId, 't', next)], new TopicCells(TopicCells.allocate()))
  return new LocalTopic(directory.handle('t'), parts as unknown as TopicHost)
}

/** An answer to a lookup that holds these records, one in each batch. */
function answerOf(topic: number, offsets: readonly number[]) {
  const pieces = offsets.map((offset) => chunkOf(topic, [[offset]]))
  const starts = pieces.map((_, index) => pieces.slice(0, index).reduce((sum, { length }) => sum + length, 0))
  return { bytes: new Uint8Array(Buffer.concat(pieces)), starts }
}

it.each([
  ['another message', topicId, 5],
  ['a message of another topic', topicId + 1, 4],
])('%s is not taken for the one that was looked up', async (_, topic, found) => {
  const bytes = chunkOf(topic, [[found]])
  const lone = topicOf({ reads: { record: async () => ({ bytes, length: bytes.length }) } })
  const failure = { code: 'BOOKEND_CORRUPT', topic: 't', offset: 4 }
  expect(await codedFailureOf(() => lone.records([4]))).toMatchObject(failure)
  const many = topicOf({ reads: { records: async () => [answerOf(topic, [found])] } })
  expect(await codedFailureOf(() => many.records([4, 6]))).toMatchObject(failure)
})

it('a lookup of many is answered in parts, which are all of it', async () => {
  const topic = topicOf({ reads: { records: async () => [answerOf(topicId, [1, 2]), answerOf(topicId, [4])] } })
  expect((await topic.records([1, 2, 4])).map((place) => place?.offset)).toEqual([1, 2, 4])
  expect(await failureOf(() => topic.records([1, 2, 4, 5]))).toMatchObject({
    message: 'Bookend invariant broken: reader threads answer for every offset',
  })
})

it('no time leads behind the next message', async () => {
  const topic = topicOf({ reads: { offsetAt: async () => next + 1 } })
  expect(await failureOf(() => topic.offsetAt(5))).toMatchObject({
    message: 'Bookend invariant broken: the time of a message leads to that message, or to the next one',
  })
})

it('nothing that no segment holds enters the ring', async () => {
  const entered: string[] = []
  const enter = (how: string) => () => void entered.push(how)
  const appends = { append: enter('append'), offer: enter('offer') }
  const topic = topicOf({ appends })
  const value = new Uint8Array(60)
  const extras = { key: new Uint8Array(30), headers: new Uint8Array(11) }
  const message = 'Bookend invariant broken: a segment holds the message'
  expect(await failureOf(() => topic.offer(value, extras))).toMatchObject({ message })
  expect(await failureOf(() => topic.append(value, extras, 'process'))).toMatchObject({ message })
  expect(entered).toEqual([])
  topic.offer(value, { ...extras, headers: undefined })
  expect(entered).toEqual(['offer'])
})
