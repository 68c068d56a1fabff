import { text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, openLog, temporaryFolder } from './support.js'

it('three thousand topics in one log are each read back exactly, before and after it is opened again', async () => {
  const directory = temporaryFolder()
  const count = 3_000
  const names = Array.from({ length: count }, (_, index) => `topic-${index}`)
  let log = await openLog(directory, { ringBytes: 256 << 10 })
  const appends: Promise<unknown>[] = []
  for (let round = 0; round < 3; round++) {
    for (const name of names)
      appends.push(log.topic(name, { codec: text }).append(`${name} ${round} ${'x'.repeat(round * 200)}`))
  }
  const offsets = await Promise.all(appends)
  expect(offsets).toEqual([0, 1, 2].flatMap((round) => names.map(() => round)))
  for (const isReopened of [false, true]) {
    if (isReopened) {
      await log.close()
      log = await openLog(directory)
    }
    expect(await log.topics()).toEqual([...names].sort())
    expect(log.stats().segments.total).toBeGreaterThan(3)
    const wrong: string[] = []
    await Promise.all(
      names.map(async (name, index) => {
        const topic = log.topic(name, { codec: text })
        const messages = index % 3 === 0 ? await collect(topic.read()) : await topic.getMany([0, 1, 2])
        const values = messages.map((message) => message?.value)
        const wanted = [0, 1, 2].map((round) => `${name} ${round} ${'x'.repeat(round * 200)}`)
        if (JSON.stringify(values) !== JSON.stringify(wanted)) wrong.push(name)
      }),
    )
    expect(wrong).toEqual([])
  }
})
