import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, openLog, temporaryFolder } from '../scenarios/support.js'

it('the offset of a time is the first message appended at or after it', async () => {
  const directory = temporaryFolder()
  let log = await openLog(directory)
  let topic = log.topic('t', { codec: text })
  const noise = log.topic('noise')
  const pause = () => new Promise((resolve) => setTimeout(resolve, 2))
  for (let round = 0; round < 60; round++) {
    await topic.append(`m${round}`)
    // Rolls some segments, so that the search crosses footers.
    if (round % 4 === 0) await noise.append(new Uint8Array(120_000))
    await pause()
  }
  for (const isReopened of [false, true]) {
    if (isReopened) {
      await log.close()
      log = await openLog(directory)
      topic = log.topic('t', { codec: text })
    }
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
  }
})
