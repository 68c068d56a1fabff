import { text } from 'bookend'
import { it } from 'vitest'
import { openLog, temporaryFolder } from '../scenarios/support.js'
import { expectOffsetsOfTimes } from '../support/offsets-of-times.js'

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
    await expectOffsetsOfTimes(topic)
  }
})
