import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, expectMistake } from '../../scenarios/support.js'
import { expectOffsetsOfTimes } from '../../support/offsets-of-times.js'
import { offsetsOf, words } from '../../support/words.js'
import { onEveryEngine, onEveryReader } from './fixture.js'

onEveryReader(
  async (log) => {
    const topic = log.topic('t', { codec: text })
    for (const word of words(60)) {
      await topic.append(word)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    const trimmed = log.topic('trimmed', { codec: text })
    await trimmed.appendMany(words(100))
    await trimmed.trim(40)
    const emptied = log.topic('emptied', { codec: text })
    await emptied.appendMany(words(100))
    await emptied.trim(100)
  },
  (reader) => {
    it('the offset of a time is the first message appended at or after it', async () => {
      const topic = reader.log.topic('t', { codec: text })
      await expectOffsetsOfTimes(topic)
    })

    it('a time ends a range as its offset would, in every way to read', async () => {
      const topic = reader.log.topic('t', { codec: text })
      const all = await collect(topic.read())
      for (const { timestamp } of [all[0], all[30], all[59]]) {
        const to = new Date(timestamp)
        const wanted = offsetsOf(all.filter((message) => message.timestamp < timestamp))
        expect(offsetsOf(await collect(topic.read({ to })))).toEqual(wanted)
        expect(offsetsOf((await collect(topic.read({ from: 3, to }).batches())).flat())).toEqual(wanted.slice(3))
        expect(await topic.count({ to })).toBe(wanted.length)
        expect(await topic.count({ from: to })).toBe(60 - wanted.length)
        if (reader.goesOn) expect(offsetsOf(await collect(topic.read({ to, follow: true })))).toEqual(wanted)
        if (reader.goesOn) {
          const chunks = await collect(topic.read({ to, follow: true }).chunks())
          expect(chunks.flatMap((chunk) => offsetsOf([...chunk]))).toEqual(wanted)
        }
      }
      expect(await collect(topic.read({ from: 30, to: new Date(0) }))).toEqual([])
      expect(await collect(topic.read({ to: new Date(8e15) }))).toHaveLength(60)
      await expectMistake(() => topic.read({ to: new Date(Number.NaN) }), RangeError)
      await expectMistake(() => topic.read({ to: 'now' as never }), TypeError)
      await expectMistake(() => topic.count({ from: new Date(Number.NaN) }), RangeError)
    })

    it('a time before everything that is left after a trim gives the first readable offset', async () => {
      expect(await reader.log.topic('trimmed').offsetAt(0)).toBe(40)
      expect(await reader.log.topic('emptied').offsetAt(0)).toBe(100)
    })
  },
)

onEveryEngine(({ shared }) => {
  it('a stream that follows up to a time has what is appended until then, and ends though nothing more comes', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    await topic.append('before')
    const end = Date.now() + 1_500
    const messages = collect(topic.read({ follow: true, to: new Date(end) }))
    await topic.append('in time')
    const isInTime = Date.now() < end
    const values = (await messages).map(({ value }) => value)
    expect(values[0]).toBe('before')
    // On a machine that has stood still meanwhile it may have come too late.
    if (isInTime) expect(values).toEqual(['before', 'in time'])
    expect((await messages).every(({ timestamp }) => timestamp < end)).toBe(true)
  })
})
