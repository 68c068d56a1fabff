import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect } from '../../scenarios/support.js'
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
      const times = (await collect(topic.read())).map(({ timestamp }) => timestamp)
      expect(times).toEqual([...times].sort((a, b) => a - b))
      expect(new Set(times).size).toBeGreaterThan(20)
      const probes = times.flatMap((time) => [time - 1, time, time + 1])
      const wanted = (time: number) => {
        const index = times.findIndex((each) => each >= time)
        return index < 0 ? times.length : index
      }
      expect(await Promise.all(probes.map((time) => topic.offsetAt(time)))).toEqual(probes.map(wanted))
      expect(await topic.offsetAt(0)).toBe(0)
      expect(await topic.offsetAt(new Date(times[30]))).toBe(wanted(times[30]))
      expect(await topic.offsetAt(Date.now() + 1e9)).toBe(60)
      expect(await topic.offsetAt(-1)).toBe(0)
      expect((await collect(topic.read({ from: new Date(times[40]) })))[0].offset).toBe(wanted(times[40]))
    })

    it('a time before everything that is left after a trim gives the first readable offset', async () => {
      expect(await reader.log.topic('trimmed').offsetAt(0)).toBe(40)
      expect(await reader.log.topic('emptied').offsetAt(0)).toBe(100)
    })
  },
)
