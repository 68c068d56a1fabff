import { type TracingChannelSubscribers, tracingChannel } from 'node:diagnostics_channel'
import { json, type Message, type Processor, text } from 'bookend'
import { expect, it } from 'vitest'
import { collect, failureOf } from '../../scenarios/support.js'
import { onEveryEngine } from './fixture.js'

/** Something to wait for, and how it comes to be. */
function gate() {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

onEveryEngine(({ shared, open }) => {
  const filled = async (...values: string[]) => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    await topic.appendMany(values)
    return { log, name, topic, group: topic.group('g') }
  }

  it('calls a function with one message after the other, decoded, and acknowledges each', async () => {
    const { topic, group } = await filled('a', 'b', 'c')
    const seen: unknown[] = []
    await using processor = group.process(
      ({ offset, value }, { attempt, group: name, topic: of, data }) => {
        seen.push([offset, value, attempt, name, of, data])
      },
      { data: { is: 'mine' } },
    )
    await processor.idle()
    const more = { is: 'mine' }
    expect(seen).toEqual(['a', 'b', 'c'].map((value, offset) => [offset, value, 1, 'g', topic.name, more]))
    await topic.append('d')
    await processor.idle()
    expect(processor.stats).toEqual({ processed: 4, failed: 0, deadLettered: 0 })
    expect(await group.position()).toMatchObject({ committed: 4, lag: 0 })
    expect(processor.state).toBe('running')
    await processor.stop()
    expect(processor.state).toBe('stopped')
    await processor.finished
  })

  it('runs as many calls side by side as it is told to', async () => {
    const { group } = await filled('1', '2', '3')
    const both = gate()
    let running = 0
    let most = 0
    await using processor = group.process(
      async () => {
        running += 1
        most = Math.max(most, running)
        if (running === 2) both.open()
        await both.opened
        running -= 1
      },
      { order: 'none', concurrency: 2 },
    )
    await processor.idle()
    expect(most).toBe(2)
  })

  it('keeps the order of each key, and is not held up by another one', async () => {
    const { log, name } = await shared()
    const topic = log.topic(name, { codec: text })
    for (const [key, value] of [
      ['a', '1'],
      ['a', '2'],
      ['b', '1'],
      ['b', '2'],
    ])
      await topic.append(value, { key })
    const others = gate()
    const done: string[] = []
    const handle = async ({ keyText, value }: Message<string>) => {
      if (keyText === 'a') await others.opened
      done.push(`${keyText}${value}`)
      if (done.length === 2) others.open()
    }
    await using processor = topic.group('g').process(handle, { order: 'key', concurrency: 2 })
    await processor.idle()
    expect(done).toEqual(['b1', 'b2', 'a1', 'a2'])
  })

  it('a message that always fails becomes a dead letter after its attempts, and nothing before it is passed', async () => {
    const { log, name, group } = await filled('good', 'bad', 'good')
    const seen: string[] = []
    await using processor = group.process(
      ({ offset, value }, { attempt }) => {
        seen.push(`${offset}.${attempt}`)
        if (value === 'bad') throw new RangeError('cannot')
      },
      { retries: 2, backoffMs: 1, deadLetter: `${name}-failed` },
    )
    await processor.idle()
    expect(seen).toEqual(['0.1', '1.1', '1.2', '1.3', '2.1'])
    expect(processor.stats).toEqual({ processed: 2, failed: 3, deadLettered: 1 })
    const [letter, ...more] = await log.deadLetters(`${name}-failed`).list()
    expect(more).toEqual([])
    expect(letter).toMatchObject({
      origin: { topic: name, offset: 1 },
      group: 'g',
      reason: 'RangeError: cannot',
      attempts: 3,
    })
    expect(Buffer.from(letter.value).toString()).toBe('bad')
  })

  it('without a dead-letter topic it ends with the error, which is seen, and the next one begins with that message', async () => {
    const log = await open()
    const [name, topic] = ['t', log.topic('t', { codec: text })]
    const group = topic.group('g')
    await topic.appendMany(['good', 'bad'])
    const failing = new Error('cannot')
    const processor = group.process(
      ({ value }) => {
        if (value === 'bad') throw failing
      },
      { retries: 0 },
    )
    expect(await failureOf(() => processor.idle())).toBe(failing)
    expect(await failureOf(() => processor.finished)).toBe(failing)
    expect(failing).toMatchObject({ topic: name, offset: 1 })
    expect([processor.state, processor.error]).toEqual(['failed', failing])
    const listed = (await log.groups()).find((each) => each.topic === name)
    expect(listed?.processors).toEqual([{ state: 'failed', error: failing }])
    const offsets: number[] = []
    const again = topic.group('g').process(({ offset }) => {
      offsets.push(offset)
    })
    await again.idle()
    expect(offsets).toEqual([1])
    expect((await log.groups()).find((each) => each.topic === name)?.processors).toEqual([
      { state: 'running', error: undefined },
    ])
    // It has met an error, which it counts.
    await log.close()
  })

  it('where there is no order a message that fails comes again, and the others go on', async () => {
    const { group } = await filled('bad once', 'good', 'good')
    const seen: string[] = []
    const others = gate()
    await using processor = group.process(
      ({ offset, value }, { attempt }) => {
        seen.push(`${offset}.${attempt}`)
        if (seen.length === 3) others.open()
        if (value === 'bad once' && attempt === 1) throw new Error('not yet')
      },
      { order: 'none', backoffMs: 1 },
    )
    await others.opened
    await processor.idle()
    expect([...seen].sort()).toEqual(['0.1', '0.2', '1.1', '2.1'])
  })

  it('what a call appends is there when its message is done, and nothing of a call that fails', async () => {
    const { log, name, group } = await filled('1', '2')
    let late: (() => void) | undefined
    await using processor = group.process(
      ({ value, offset }, { append, attempt }) => {
        append(`${name}-out`, { value, attempt }, { key: String(offset) })
        late = () => append(`${name}-out`, 'late')
        if (value === '2' && attempt === 1) throw new Error('not yet')
      },
      { backoffMs: 1 },
    )
    await processor.idle()
    const out = await collect(log.topic(`${name}-out`, { codec: json }).read())
    expect(out.map(({ keyText, value }) => [keyText, value])).toEqual([
      ['0', { value: '1', attempt: 1 }],
      ['1', { value: '2', attempt: 2 }],
    ])
    expect(() => late?.()).toThrow(TypeError)
  })

  it('a pause waits for the call under way, gives back the rest, and goes on where it stood', async () => {
    const { group } = await filled('1', '2', '3')
    const [begun, may] = [gate(), gate()]
    const offsets: number[] = []
    await using processor = group.process(async ({ offset }) => {
      begun.open()
      await may.opened
      offsets.push(offset)
    })
    await begun.opened
    const paused = processor.pause()
    expect(processor.state).toBe('paused')
    may.open()
    await paused
    const before = offsets.length
    expect(await group.position()).toMatchObject({ committed: before })
    processor.resume()
    await processor.idle()
    expect(offsets).toEqual([0, 1, 2])
  })

  it('a stop, and its signal, fire the signal of the call, and what it has not done comes again', async () => {
    const { topic, group } = await filled('1')
    const begun = gate()
    const controller = new AbortController()
    const handle = (_: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('told to stop')))
        begun.open()
      })
    const processor = group.process(handle, { signal: controller.signal, retries: 0 })
    await begun.opened
    const idle = failureOf(() => processor.idle())
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await idle).toBe(reason)
    await processor.finished
    expect(processor.stats).toEqual({ processed: 0, failed: 0, deadLettered: 0 })
    await using again = topic.group('g').process(() => {})
    await again.idle()
    expect(again.stats.processed).toBe(1)
  })

  it('a pause is no attempt, whatever it cuts short, and what failed before it counts on', async () => {
    const { group } = await filled('1')
    let reached = gate()
    const attempts: number[] = []
    await using processor = group.process(
      (_, { attempt, signal }) => {
        attempts.push(attempt)
        if (attempt === 1 && attempts.length > 1) throw new Error('failed for once')
        return new Promise((resolve, reject) => {
          if (attempts.length === 4) resolve(undefined)
          signal.addEventListener('abort', () => reject(new Error('told to stop')))
          reached.open()
        })
      },
      { retries: 1, backoffMs: 1 },
    )
    for (let pause = 0; pause < 2; pause++) {
      await reached.opened
      reached = gate()
      await processor.pause()
      processor.resume()
    }
    await processor.idle()
    expect(attempts).toEqual([1, 1, 2, 2])
    expect(processor.stats).toEqual({ processed: 1, failed: 1, deadLettered: 0 })
  })

  it('its calls are told to whoever traces handlers', async () => {
    const { topic, group } = await filled('1', '2')
    const traced: unknown[] = []
    const channel = tracingChannel<unknown, { topic: string; attempt: number; batch: Message<string>[] }>(
      'bookend:process',
    )
    const subscribers = {
      start: ({ topic: of, attempt, batch }) => of === topic.name && traced.push([attempt, batch[0].value]),
      asyncEnd: ({ topic: of }) => of === topic.name && traced.push('end'),
      error: ({ topic: of }) => of === topic.name && traced.push('error'),
    } as Partial<TracingChannelSubscribers<{ topic: string; attempt: number; batch: Message<string>[] }>>
    channel.subscribe(subscribers as never)
    try {
      await using processor = group.process(
        ({ value }, { attempt }) => {
          if (value === '2' && attempt === 1) throw new Error('not yet')
        },
        { backoffMs: 1 },
      )
      await processor.idle()
    } finally {
      channel.unsubscribe(subscribers as never)
    }
    expect(traced).toEqual([[1, '1'], 'end', [1, '2'], 'error', 'end', [2, '2'], 'end'])
  })

  it('begins no more than its limiter allows, and can be stopped while it waits for that', async () => {
    const { topic, group } = await filled('1', '2', '3')
    const limiter = { max: 2, intervalMs: 3_600_000 }
    const seen: string[] = []
    const both = gate()
    const handle = ({ value }: Message<string>, { attempt }: { attempt: number }) => {
      seen.push(`${value}.${attempt}`)
      if (seen.length === 2) both.open()
    }
    const processor = group.process(handle, { order: 'none', concurrency: 5, limiter })
    await both.opened
    await processor.pause()
    processor.resume()
    await processor.stop()
    expect(seen.sort()).toEqual(['1.1', '2.1'])
    await using again = topic.group('g').process(handle, { limiter })
    await again.idle()
    expect(seen).toEqual(['1.1', '2.1', '3.1'])
    for (const wrong of [
      { max: 0, intervalMs: 1 },
      { max: 1, intervalMs: 0 },
      { max: 1 },
      { max: 1, intervalMs: 1, of: 2 },
    ])
      expect(() => group.process(handle, { limiter: wrong as never })).toThrow(/limiter/)
  })

  it('a call may pause and stop its processor, and does not wait for its own end', async () => {
    const { topic, group } = await filled('1', '2')
    const paused = gate()
    const processor: Processor = group.process(async () => {
      await processor.pause()
      paused.open()
    })
    await paused.opened
    await processor.pause()
    expect([processor.state, processor.stats.processed]).toEqual(['paused', 1])
    await processor.stop()
    const last: Processor = group.process(() => last.stop())
    await last.finished
    expect([last.state, (await topic.group('g').position()).committed]).toEqual(['stopped', 2])
  })

  it('tells a topic of results what has become of each message, and how far it is', async () => {
    const { log, name, topic, group } = await filled('a', 'bad', 'c')
    const results = `${name}-results`
    let late: Promise<void> | undefined
    let kept: ((done: number) => Promise<void>) | undefined
    await using processor = group.process(
      async ({ value }, { progress }) => {
        if (value === 'bad') throw new RangeError('cannot')
        if (value === 'c') await progress(50)
        late = progress({} as never)
        kept = progress
        return value === 'a' ? { is: 'done' } : undefined
      },
      { results, retries: 0, deadLetter: `${name}-failed` },
    )
    await processor.idle()
    expect(await failureOf(() => late)).toBeInstanceOf(TypeError)
    // The last word of a message is how it stands.
    expect(await failureOf(() => kept?.(100))).toBeInstanceOf(TypeError)
    const told = await collect(log.topic(results, { codec: json }).read())
    const said = (offset: number, state: string, more = {}) => ({
      ...{ 'bookend-job-state': state, 'bookend-job-topic': topic.name, 'bookend-job-offset': String(offset) },
      ...{ 'bookend-job-attempt': '1', ...more },
    })
    expect(told.map(({ keyText, headers, value }) => [keyText, headers, value])).toEqual([
      ['0', said(0, 'done'), { is: 'done' }],
      ['1', said(1, 'failed', { 'bookend-job-error': 'RangeError: cannot' }), null],
      ['2', said(2, 'progress', { 'bookend-job-progress': '50' }), 50],
      ['2', said(2, 'done'), null],
    ])
    expect(processor.stats).toEqual({ processed: 2, failed: 1, deadLettered: 1 })
    expect(() => group.process(() => {}, { results: name })).toThrow(RangeError)
    const silent = gate()
    await processor.stop()
    await topic.append('d')
    await using other = group.process(async (_, { progress }) => {
      expect(await failureOf(() => progress(1))).toBeInstanceOf(TypeError)
      silent.open()
    })
    await other.idle()
    await silent.opened
  })

  it('a call that takes too long counts as failed, and its signal fires', async () => {
    const { log, name, group } = await filled('endless')
    const fired = gate()
    await using processor = group.process(
      (_, { signal }) => {
        signal.addEventListener('abort', () => fired.open())
        return new Promise(() => {})
      },
      { timeoutMs: 20, retries: 0, deadLetter: `${name}-failed` },
    )
    await fired.opened
    await processor.idle()
    expect(await log.deadLetters(`${name}-failed`).list()).toMatchObject([{ origin: { offset: 0 } }])
  })

  it('a value that the codec cannot decode is a failed call', async () => {
    const { log, name } = await shared()
    await log.topic(name).append(new Uint8Array([0x7b]))
    const options = { retries: 0, deadLetter: `${name}-failed` }
    await using processor = log
      .topic(name, { codec: json })
      .group('g')
      .process(({ value }) => void value, options)
    await processor.idle()
    const [letter] = await log.deadLetters(`${name}-failed`).list()
    expect(letter.reason).toContain('cannot decode')
    expect([...letter.value]).toEqual([0x7b])
  })

  it('ends with its group and with its log, whatever it is in the middle of', async () => {
    const log = await open()
    const topic = log.topic('t', { codec: text })
    await topic.append('1')
    const removed = topic.group('removed').process(() => {})
    await removed.idle()
    await topic.group('removed').remove()
    await removed.finished
    const paused = topic.group('paused').process(() => {})
    await paused.idle()
    await paused.pause()
    const [begun, may] = [gate(), gate()]
    const working = topic.group('working').process(async () => {
      begun.open()
      await may.opened
    })
    await begun.opened
    const closed = log.close()
    may.open()
    await closed
    await Promise.all([paused.finished, working.finished])
    expect([removed, paused, working].map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped'])
    expect(working.stats.processed).toBe(1)
  })

  it('of a signal that has fired already takes nothing', async () => {
    const { group } = await filled('1')
    const processor = group.process(() => {}, { signal: AbortSignal.abort(new Error('enough')) })
    await processor.finished
    expect([processor.state, processor.stats.processed]).toEqual(['stopped', 0])
  })

  it('works through a queue', async () => {
    const { log, name } = await shared()
    const queue = log.queue(name, { codec: text })
    for (const value of ['1', '2', 'bad', '4']) await queue.push(value)
    const done: string[] = []
    await using worker = queue.work(
      ({ value }) => {
        if (value === 'bad') throw new Error('cannot')
        done.push(value)
      },
      { retries: 1, backoffMs: 1, deadLetter: `${name}-failed` },
    )
    await worker.idle()
    expect(done).toEqual(['1', '2', '4'])
    expect(await queue.size()).toBe(0)
    expect(await queue.pop()).toBeUndefined()
    expect(await log.deadLetters(`${name}-failed`).list()).toMatchObject([{ origin: { offset: 2 }, attempts: 2 }])
  })

  it('refuses what only modules have', async () => {
    const { name, group } = await filled('1')
    const nothing = () => {}
    for (const option of [{ batchSize: 2 }, { views: 'mapped' }, { maxHeapMb: 64 }] as const)
      expect(() => group.process(nothing, option)).toThrow(TypeError)
    expect(() => group.process(nothing, { deadLetter: name })).toThrow(RangeError)
    expect(() => group.process(7 as never)).toThrow(TypeError)
    expect((await group.position()).committed).toBe(0)
  })
})
