import { text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, collect } from '../../scenarios/support.js'
import { words } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

onEveryEngine(({ open, shared }) => {
  const topicOf = async (count: number) => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    if (count > 0) await topic.appendMany(words(count))
    return topic
  }

  it('leaving a loop early ends the stream, and others go on', async () => {
    const topic = await topicOf(100)
    const stream = topic.read({ follow: true })
    for await (const { offset } of stream) if (offset === 41) break
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    const batches = topic.read({ follow: true })
    for await (const batch of batches.batches()) {
      expect(batch.length).toBeGreaterThan(0)
      break
    }
    expect(await batches.next()).toEqual({ done: true, value: undefined })
    expect((await collect(topic.read())).length).toBe(100)
  })

  it('return() releases a next() that waits for a message, and the log closes', async () => {
    const log = await open()
    const topic = log.topic('t', { codec: text })
    const stream = topic.read({ follow: true })
    const pending = stream.next()
    await stream.return()
    expect(await pending).toEqual({ done: true, value: undefined })
    const disposed = topic.read({ follow: true })
    const waiting = disposed.next()
    await disposed[Symbol.asyncDispose]()
    expect(await waiting).toEqual({ done: true, value: undefined })
    await log.close()
  })

  it('an aborted follower rejects with the reason of its signal, waiting or not', async () => {
    const topic = await topicOf(0)
    const reason = new Error('enough')
    const controller = new AbortController()
    const waiting = topic.read({ follow: true, signal: controller.signal }).next()
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)

    const other = new AbortController()
    const stream = topic.read({ follow: true, signal: other.signal })
    const seen: string[] = []
    await topic.append('a')
    await expect(
      (async () => {
        for await (const { value } of stream) {
          seen.push(value)
          other.abort()
        }
      })(),
    ).rejects.toMatchObject({ name: 'AbortError' })
    expect(seen).toEqual(['a'])
    expect(await stream.next()).toEqual({ done: true, value: undefined })

    await expect(topic.read({ signal: AbortSignal.abort(reason) }).next()).rejects.toBe(reason)
    await expect(collect(topic.read({ signal: AbortSignal.abort(reason) }).batches())).rejects.toBe(reason)
  })

  it('streams that are open when the log closes end with BOOKEND_CLOSED, and close does not wait for them', async () => {
    const log = await open()
    const topic = log.topic('t', { codec: text })
    await topic.appendMany(words(5))
    const follower = topic.read({ from: 'next', follow: true })
    const batches = topic.read({ from: 'next', follow: true }).batches()
    const half = topic.read()
    await half.next()
    const waiting = [follower.next(), batches.next()].map((promise) => codedFailureOf(() => promise))
    await log.close()
    for (const error of await Promise.all(waiting)) expect(error.code).toBe('BOOKEND_CLOSED')
    // What it holds already it may still give; then it says why it ends.
    const error = await codedFailureOf(async () => {
      while (!(await half.next()).done);
      throw new Error('it ended without saying why')
    })
    expect(error.code).toBe('BOOKEND_CLOSED')
  })
})
