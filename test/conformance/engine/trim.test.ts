import { text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, expectMistake } from '../../scenarios/support.js'
import { offsetsOf, range, valuesOf, words } from '../../support/words.js'
import { onEveryEngine, onEveryReader } from './fixture.js'

onEveryReader(
  async (log) => {
    const topic = log.topic('t', { codec: text })
    await topic.appendMany(words(1_000))
    await topic.trim(400)
  },
  (reader) => {
    it('what is trimmed cannot be read any more, and what is left can', async () => {
      const topic = reader.log.topic('t', { codec: text })
      expect(await topic.bounds()).toEqual({ first: 400, next: 1_000 })
      expect(await topic.get(399)).toBeUndefined()
      expect((await topic.get(400))?.value).toBe('m400')
      expect(valuesOf(await topic.getMany([0, 399, 400, 999]))).toEqual([undefined, undefined, 'm400', 'm999'])
      for (const from of [0, 399]) {
        const error = await codedFailureOf(() => collect(topic.read({ from })))
        expect(error).toMatchObject({ code: 'BOOKEND_TRIMMED', topic: 't', first: 400 })
      }
      expect(offsetsOf(await collect(topic.read()))).toEqual(range(400, 1_000))
    })
  },
)

onEveryEngine(({ shared }) => {
  it('a trim that goes back does nothing, one that goes too far is a mistake, and numbering goes on behind all', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    await topic.appendMany(words(1_000))
    await topic.trim(400)
    await topic.trim(10)
    expect(await topic.bounds()).toEqual({ first: 400, next: 1_000 })
    await expectMistake(() => topic.trim(1_000_000), RangeError)
    await log.topic('new').trim(1)
    expect(await log.topics()).not.toContain('new')
    expect(await topic.bounds()).toEqual({ first: 400, next: 1_000 })
    await topic.trim(1_000)
    expect(await topic.bounds()).toEqual({ first: 1_000, next: 1_000 })
    expect(await collect(topic.read())).toEqual([])
    expect(await topic.append('next')).toBe(1_000)
    expect((await topic.get(1_000))?.value).toBe('next')
  })

  it('what was offered before a trim can be trimmed', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    for (const word of words(3)) expect(topic.offer(word)).toBe(true)
    await topic.trim(2)
    expect(await topic.bounds()).toEqual({ first: 2, next: 3 })
  })

  it('a reader that is overtaken by a trim is told so', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    for (let number = 0; number < 100; number++) await topic.append(new Uint8Array(40_000))
    const stream = topic.read()
    await stream.next()
    await topic.trim(90)
    const error = await codedFailureOf(async () => {
      while (!(await stream.next()).done);
    })
    expect(error).toMatchObject({ code: 'BOOKEND_TRIMMED', first: 90 })
  })
})
