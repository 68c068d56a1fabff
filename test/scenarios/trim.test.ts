import { text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect, openLog, segmentNames, temporaryFolder, until } from './support.js'

it('what is trimmed cannot be read any more, and what is left can', async () => {
  const directory = temporaryFolder()
  let log = await openLog(directory)
  await log.topic('t', { codec: text }).appendMany(Array.from({ length: 1_000 }, (_, index) => `m${index}`))
  await log.topic('t').trim(400)
  for (const isReopened of [false, true]) {
    if (isReopened) {
      await log.close()
      log = await openLog(directory)
    }
    const topic = log.topic('t', { codec: text })
    expect(await topic.bounds()).toEqual({ first: 400, next: 1_000 })
    expect(await topic.get(399)).toBeUndefined()
    expect((await topic.get(400))?.value).toBe('m400')
    expect((await topic.getMany([0, 399, 400, 999])).map((message) => message?.value)).toEqual([
      undefined,
      undefined,
      'm400',
      'm999',
    ])
    for (const from of [0, 399]) {
      const error = await codedFailureOf(() => collect(topic.read({ from })))
      expect(error).toMatchObject({ code: 'BOOKEND_TRIMMED', topic: 't', first: 400 })
    }
    expect((await collect(topic.read())).map(({ offset }) => offset)).toEqual(
      Array.from({ length: 600 }, (_, index) => 400 + index),
    )
  }
})

for (const io of ['mmap', 'file'] as const) {
  it(`segments that nobody can read go from the disk, and all else is as it was (io ${io})`, async () => {
    const directory = temporaryFolder()
    let log = await openLog(directory, { io, flushIntervalMs: 20 })
    const dead = log.topic('dead', { codec: text })
    await dead.appendMany(['a', 'b', 'c'])
    await dead.trim(3)
    const half = log.topic('half', { codec: text })
    await half.append('early')
    const main = log.topic('main')
    for (let number = 0; number < 200; number++) {
      await main.append(new Uint8Array(40_000).fill(number))
      if (number === 100) await half.append('middle')
    }
    expect(segmentNames(directory).length).toBeGreaterThan(7)
    await collect(main.read())
    await main.trim(150)
    // "half" has two messages left, in segments that are needed for nothing else: they are moved, and nobody can tell.
    const times = (await half.getMany([0, 1])).map((message) => message?.timestamp)
    await until('the segments below are gone', () => Number.parseInt(segmentNames(directory)[0], 10) >> 20 >= 5)
    expect(log.stats().segments.movedBytes).toBeGreaterThan(0)
    expect((await collect(half.read())).map(({ value }) => value)).toEqual(['early', 'middle'])
    expect((await half.getMany([0, 1])).map((message) => message?.timestamp)).toEqual(times)
    await half.trim(1)
    expect((await collect(half.read())).map(({ value }) => value)).toEqual(['middle'])
    expect((await collect(main.read())).map(({ value }) => value[0])).toEqual(
      Array.from({ length: 50 }, (_, index) => 150 + index),
    )
    await half.trim(2)
    await until('all but the last segments are gone', () => Number.parseInt(segmentNames(directory)[0], 10) >> 20 >= 5)
    await until('stats say so', () => log.stats().segments.deleted >= 5)
    expect(log.stats().positions.trimmed).toBeGreaterThanOrEqual(5 << 20)
    for (const how of ['open', 'reopened'] as const) {
      if (how === 'reopened') {
        await log.close()
        log = await openLog(directory, { io })
      }
      const value = new TextEncoder().encode(how)
      expect(await log.topics()).toEqual(['dead', 'half', 'main'])
      // Their segments are gone, their numbering is not.
      const offset = how === 'open' ? 0 : 1
      expect(await log.topic('dead').bounds()).toEqual({ first: 3, next: 3 + offset })
      expect(await log.topic('dead').append(value)).toBe(3 + offset)
      expect(await log.topic('half').append(value)).toBe(2 + offset)
      expect((await log.topic('main').bounds()).first).toBe(150)
      expect(await log.topic('main').append(value)).toBe(200 + offset)
      expect((await log.topic('dead', { codec: text }).get(3 + offset))?.value).toBe(how)
      expect((await log.topic('main').get(150))?.value[39_999]).toBe(150)
      expect((await codedFailureOf(() => collect(log.topic('main').read({ from: 0 })))).code).toBe('BOOKEND_TRIMMED')
    }
  })
}
