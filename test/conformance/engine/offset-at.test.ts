import { text } from 'bookend'
import { expect, it } from 'vitest'
import { expectOffsetsOfTimes } from '../../support/offsets-of-times.js'
import { words } from '../../support/words.js'
import { onEveryReader } from './fixture.js'

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

    it('a time before everything that is left after a trim gives the first readable offset', async () => {
      expect(await reader.log.topic('trimmed').offsetAt(0)).toBe(40)
      expect(await reader.log.topic('emptied').offsetAt(0)).toBe(100)
    })
  },
)
