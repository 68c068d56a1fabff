import { BookendError, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, endlessScan } from '../../scenarios/support.js'
import { words } from '../../support/words.js'
import { onEveryEngine } from './fixture.js'

const scanModule = new URL('../../fixtures/scan-sum.mjs', import.meta.url)

onEveryEngine(({ open, supports }) => {
  it('close waits for what is pending, and is idempotent', async () => {
    const log = await open({ ringBytes: 64 << 10 })
    const topic = log.topic('t')
    // Far more than there is room for, so that most of it waits.
    const appends = Array.from({ length: 200 }, (_, index) => topic.append(new Uint8Array(5_000).fill(index)))
    const read = topic.get(0)
    const first = log.close()
    const second = log.close()
    await Promise.all([first, second, log.close()])
    expect(await Promise.all(appends)).toEqual(Array.from({ length: 200 }, (_, index) => index))
    await read
  })

  it('reads under way when the log closes are answered', async () => {
    const log = await open()
    const topic = log.topic('t', { codec: text })
    await topic.appendMany(words(3))
    const reads = [topic.get(0), topic.getMany([0, 1, 2]), topic.offsetAt(0)] as const
    const closing = log.close()
    const [message, messages, offset] = await Promise.all(reads)
    await closing
    expect(message?.value).toBe('m0')
    expect(messages.map((each) => each?.value)).toEqual(words(3))
    expect(offset).toBe(0)
  })

  it('every call after close is BOOKEND_CLOSED, from the moment close is called', async () => {
    const log = await open()
    const topic = log.topic('t', { codec: text })
    await topic.append('a')
    const calls: (() => unknown)[] = [
      () => topic.append('b'),
      () => topic.appendMany(['b']),
      () => topic.appendMany([]),
      () => topic.offer('b'),
      () => topic.ready(),
      () => topic.bounds(),
      () => topic.get(0),
      () => topic.getMany([0]),
      () => topic.read(),
      () => topic.offsetAt(0),
      () => topic.trim(1),
      () => log.topic('x'),
      () => log.topics(),
      () => log.flush(),
      () => log.stats(),
    ]
    if (supports.scan) calls.push(() => topic.scan(scanModule))
    if (supports.disk) calls.push(() => log.flush('disk'))
    if (supports.local)
      calls.push(
        () => log.flushSync(),
        () => log.residency(),
        () => log.segments(),
        () => log.backup('backup'),
      )
    const closing = log.close()
    for (const call of calls) {
      const error = await codedFailureOf(call)
      expect(error.code, String(call)).toBe('BOOKEND_CLOSED')
    }
    await closing
    for (const call of calls) {
      const error = await codedFailureOf(call)
      expect(error, String(call)).toBeInstanceOf(BookendError)
      expect(error.code, String(call)).toBe('BOOKEND_CLOSED')
      expect(error.message).toContain(log.directory)
    }
    expect(log.directory).not.toBe('')
  })

  it('leaving the scope of an await using closes the log', async () => {
    const log = await open()
    await log.topic('t', { codec: text }).append('a')
    await log[Symbol.asyncDispose]()
    expect((await codedFailureOf(() => log.topics())).code).toBe('BOOKEND_CLOSED')
  })

  it.runIf(supports.scan)('a scan that is under way when the log closes ends, or is BOOKEND_CLOSED', async () => {
    const closed = { status: 'rejected', reason: { code: 'BOOKEND_CLOSED' } }
    // One whose module does not come back holds no close up, but its thread is waited for: the others close meanwhile.
    const endless = async () => {
      const log = await open()
      const topic = log.topic('t')
      await topic.append(new Uint8Array(100))
      const scan = endlessScan()
      const outcome = Promise.allSettled([topic.scan(scan.module)])
      await scan.begun()
      await log.close()
      expect(await outcome).toMatchObject([closed])
    }
    const short = async () => {
      for (let count = 1; count <= 5; count++) {
        const log = await open()
        const topic = log.topic('t')
        await topic.appendMany(Array.from({ length: 500 }, () => new Uint8Array(100)))
        const scans = Array.from({ length: count }, () => topic.scan(scanModule))
        const outcomes = Promise.allSettled(scans)
        await log.close()
        for (const outcome of await outcomes) if (outcome.status === 'rejected') expect(outcome).toMatchObject(closed)
      }
    }
    await Promise.all([endless(), short()])
  })
})
