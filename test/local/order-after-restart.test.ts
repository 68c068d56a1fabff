import { expect, it } from 'vitest'
import { openLog, seeded, temporaryFolder } from '../scenarios/support.js'
import { appendInEveryWay, expectAll, mixedOptions } from '../support/mixed-appends.js'

for (const io of ['mmap', 'file'] as const) {
  it(`messages of all sizes, appended in all ways over many segments, are the same before and after a restart (io ${io})`, async () => {
    const directory = temporaryFolder()
    let log = await openLog(directory, { io, ...mixedOptions })
    const sent = await appendInEveryWay(log.topic('t'), () => log.flush(), seeded(11))
    for (const isReopened of [false, true]) {
      if (isReopened) {
        await log.close()
        log = await openLog(directory, { io, ...mixedOptions })
      }
      await expectAll(log.topic('t'), sent)
    }
    expect(log.stats().segments.total).toBeGreaterThan(8)
  })
}
