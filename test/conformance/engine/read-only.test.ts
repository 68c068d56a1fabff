import { type Log, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, expectMistake } from '../../scenarios/support.js'
import { words } from '../../support/words.js'
import { onEveryReader } from './fixture.js'

const handlers = new URL('../../fixtures/handler-records.mjs', import.meta.url)
const fill = (log: Log) => log.topic('t', { codec: text }).appendMany(words(3))

onEveryReader(fill, (reader) => {
  it.runIf(reader.isReadOnly)(
    'whoever only looks is refused whatever would write, and what it sees stays as it was',
    async () => {
      const topic = reader.log.topic('t', { codec: text })
      const group = topic.group('g')
      const queue = reader.log.queue('t', { codec: text })
      const calls: (() => unknown)[] = [
        () => topic.append('a'),
        () => topic.appendMany(['a']),
        () => topic.offer('a'),
        () => topic.ready(),
        () => topic.trim(1),
        () => queue.push('a'),
        () => queue.pop(),
        () => queue.clear(),
      ]
      // Whoever follows has groups of its own.
      if (!reader.goesOn)
        calls.push(
          () => group.consume(),
          () => group.seek(0),
          () => group.remove(),
          () => group.process(handlers),
        )
      for (const call of calls) expect((await codedFailureOf(call)).code, String(call)).toBe('BOOKEND_READ_ONLY')
      // It would wait for ever: nothing new comes.
      if (!reader.goesOn) await expectMistake(() => topic.read({ follow: true }), TypeError)
      await reader.log.flush()
      expect(await topic.bounds()).toEqual({ first: 0, next: 3 })
      expect(await queue.peek()).toBe('m0')
      expect(await queue.size()).toBe(3)
    },
  )
})
