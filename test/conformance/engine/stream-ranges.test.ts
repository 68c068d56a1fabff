import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect } from '../../scenarios/support.js'
import { valuesOf, words } from '../../support/words.js'
import { onEveryEngine, onEveryReader } from './fixture.js'

onEveryReader(
  (log) => log.topic('t', { codec: text }).appendMany(words(10_000)),
  (reader) => {
    it('a range is read exactly, whatever its ends', async () => {
      const topic = reader.log.topic('t', { codec: text })
      const ranges: [object, number, number][] = [
        [{}, 0, 10_000],
        [{ from: 'first' }, 0, 10_000],
        [{ from: 'next' }, 0, 0],
        [{ from: 3, to: 7 }, 3, 7],
        [{ from: 9_999 }, 9_999, 10_000],
        [{ from: 10_000 }, 0, 0],
        [{ from: 20_000 }, 0, 0],
        [{ from: 5, to: 5 }, 0, 0],
        [{ from: 7, to: 3 }, 0, 0],
        [{ to: 1 }, 0, 1],
        [{ from: 9_990, to: 1e9 }, 9_990, 10_000],
        [{ from: new Date(0), to: 2 }, 0, 2],
        [{ from: new Date(Date.now() + 1e6) }, 0, 0],
      ]
      // Where nothing more comes, there is nothing to follow.
      if (reader.goesOn) ranges.push([{ from: 2, to: 4, follow: true }, 2, 4])
      for (const [options, from, to] of ranges) {
        expect(valuesOf(await collect(topic.read(options))), JSON.stringify(options)).toEqual(words(to - from, from))
        expect((await collect(topic.read(options).batches())).flat().length, JSON.stringify(options)).toBe(to - from)
      }
    })
  },
)

onEveryEngine(({ shared }) => {
  it('a stream without follow ends with what was there when it was first used', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    await topic.appendMany(words(3))
    const stream = topic.read()
    expect((await stream.next()).value?.value).toBe('m0')
    await topic.append('late')
    expect(valuesOf(await collect(stream))).toEqual(['m1', 'm2'])
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })
})
