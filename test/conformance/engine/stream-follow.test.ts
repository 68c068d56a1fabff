import { text } from 'bookend'
import { expect, it } from 'vitest'
import { until } from '../../scenarios/support.js'
import { valuesOf, words } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ shared }) => {
  const topicOf = async (count: number) => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    if (count > 0) await topic.appendMany(words(count))
    return topic
  }

  it('a follower gets new messages as they are appended, from before the topic exists', async () => {
    const topic = await topicOf(0)
    const stream = topic.read({ from: 'next', follow: true })
    for (let round = 0; round < 50; round++) {
      const pending = stream.next()
      await topic.append(`m${round}`)
      expect((await pending).value).toMatchObject({ offset: round, value: `m${round}` })
    }
    await stream.return()
  })

  it('several followers each see every message in order, while it is appended in every way', async () => {
    const topic = await topicOf(5)
    const total = 4_000
    const followers = Array.from({ length: 5 }, async (_, index) => {
      const seen: (string | undefined)[] = []
      const stream = topic.read({ follow: true, to: total })
      if (index % 2 === 0) for await (const { value } of stream) seen.push(value)
      else for await (const batch of stream.batches()) seen.push(...valuesOf(batch))
      return seen
    })
    for (let next = 5; next < total; ) {
      if (next % 3 === 0) await topic.append(`m${next++}`)
      else if (next % 3 === 1 && topic.offer(`m${next}`)) next++
      else {
        const many = words(Math.min(17, total - next), next)
        next += many.length
        void topic.appendMany(many)
      }
    }
    for (const seen of await Promise.all(followers)) expect(seen).toEqual(words(total))
  })

  it('next() may be called again before the last call has settled: answers come in order', async () => {
    const topic = await topicOf(3_000)
    const stream = topic.read({ follow: true })
    const answers = Array.from({ length: 3_010 }, () => stream.next())
    await topic.appendMany(words(10, 3_000))
    const values = (await Promise.all(answers)).map(({ value }) => value?.value)
    expect(values).toEqual(words(3_010))
    await stream.return()
  })

  it('a slow consumer gets everything in order, though far more than a chunk is waiting', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name)
    const total = 60
    let seen = 0
    const reading = (async () => {
      for await (const { offset, value } of topic.read({ follow: true, to: total })) {
        expect(offset).toBe(seen)
        expect(value.length).toBe(50_000 + offset)
        expect(value.every((byte) => byte === offset)).toBe(true)
        seen += 1
        if (offset % 7 === 0) await new Promise(setImmediate)
      }
    })()
    for (let offset = 0; offset < total; offset++) await topic.append(new Uint8Array(50_000 + offset).fill(offset))
    await reading
    await until('all are seen', () => seen === total)
  })
})
