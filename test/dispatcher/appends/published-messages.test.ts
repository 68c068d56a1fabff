/**
 * Whoever hands out messages, to a consumer, a reader that follows or a thread of handlers, looks up here how far he may go: so none of them is given one
 * message of a transaction before all of them are told.
 */
import { expect, it } from 'vitest'
import { PublishedMessages } from '../../../src/dispatcher/appends/published-messages.js'
import { KeepAlive } from '../../../src/dispatcher/keep-alive.js'
import { TopicDirectory } from '../../../src/dispatcher/topic-directory.js'
import { Watch } from '../../../src/dispatcher/watch.js'
import { TopicCells } from '../../../src/ring/topic-cells.js'
import { topicState } from '../../support/groups.js'
import { sharedWords } from '../../support/shared-words.js'

it('nobody is told how far a topic goes while what came together is told topic by topic', () => {
  const { state, lane, lanes } = sharedWords()
  const memory = TopicCells.allocate()
  const writer = new TopicCells(memory)
  class Waits extends Error {}
  const cells = new TopicCells(memory, () => {
    throw new Waits()
  })
  const watch = new Watch({ state, lane, keepAlive: new KeepAlive(), directory: '/log' })
  const published = new PublishedMessages({ lanes, lane, cells, watch })
  const topics = new TopicDirectory([topicState(0, 'one', 0), topicState(1, 'other', 0)], writer)
  const [one, other] = ['one', 'other'].map((name) => topics.handle(name))
  writer.storeTogether(() => {
    writer.next(one.id).store(5)
    // The first of the two is told, the other is not.
    for (const topic of [one, other]) {
      expect(() => published.nextOf(topic)).toThrow(Waits)
      expect(() => published.firstOf(topic)).toThrow(Waits)
      expect(() =>
        published.whenNext(
          topic,
          0,
          () => {},
          () => {},
        ),
      ).toThrow(Waits)
    }
    writer.next(other.id).store(7)
  })
  expect([published.nextOf(one), published.nextOf(other)]).toEqual([5, 7])
})
