import { afterEach, describe, expect, it } from 'vitest'
import { BookendError } from '../../../src/errors.js'
import type { Message } from '../../../src/messages/message.js'
import { HandlerWords, handlerPhase } from '../../../src/ring/handler-words.js'
import type { CallAppends, HandledMessages, HandlerMeans } from '../../../src/threads/reader/handler.js'
import { HandlerTasks } from '../../../src/threads/reader/handler-run.js'
import type { HandlerTask } from '../../../src/threads/reader/handler-task.js'
import { chunkOf } from '../../support/chunks.js'
import { appendsNothing, handlerModule, ProcessingWorld, setHandler } from '../../support/processing.js'

interface Call {
  offsets: number[]
  attempt: number
}

let calls: Call[] = []
/** Of the tasks: no time passes unless a case says so. */
let nowMs = 0
afterEach(() => {
  calls = []
  nowMs = 0
})

/** A handler that writes its calls down and then does as told. */
function record(act: (messages: Message[], attempt: number) => unknown = () => {}): void {
  setHandler((messages, { attempt }) => {
    calls.push({ offsets: messages.map(({ offset }) => offset), attempt })
    return act(messages, attempt)
  })
}

function start(
  count: number,
  bytes = 20,
  read?: ConstructorParameters<typeof HandlerTasks>[0],
  appends: Partial<CallAppends> = {},
) {
  const world = new ProcessingWorld()
  const means: HandlerMeans = { data: undefined, beginAppends: () => ({ ...appendsNothing, ...appends }) }
  world.append(Array.from({ length: count }, (_, index) => ({ value: new Uint8Array(bytes).fill(index) })))
  const tasks = new HandlerTasks(read ?? ((_, request) => world.engine.reader.readMapped(request)), means, () => nowMs)
  const run = (
    options: Partial<HandlerTask> & { to?: number; aloneTo?: number; isOpen?: boolean; words?: never } = {},
  ) => {
    const { aloneTo = 0, to = count, isOpen = false, ...rest } = options
    const words = HandlerWords.allocate(options.from ?? 0, to, aloneTo, isOpen)
    const task: HandlerTask = {
      ...{
        topic: world.topic,
        from: 0,
        lane: 0,
        lanes: 1,
        batchSize: 10,
        views: 'copied' as const,
        module: handlerModule,
        codec: undefined,
        group: 'g',
      },
      ...{ attempt: 1, generation: 0, firstAttempt: 0, resume: undefined, ...rest, words: words.shared },
    }
    return { words, answer: tasks.run(task) }
  }
  return { world, run }
}

const fails =
  (...offsets: number[]) =>
  (messages: Message[]) => {
    const bad = messages.find(({ offset }) => offsets.includes(offset))
    if (bad !== undefined) throw new RangeError(`no ${bad.offset}`)
  }

describe('a handler task', () => {
  it('hands the range over in batches, and says that it is done', async () => {
    record()
    const { run } = start(25)
    const { words, answer } = run({ from: 2, to: 24 })
    expect(await answer).toMatchObject({ done: 24, handled: 22, failed: 0, end: { kind: 'paused' } })
    expect(calls.map(({ offsets }) => offsets.length)).toEqual([10, 10, 2])
    expect(calls.flatMap(({ offsets }) => offsets)).toEqual(Array.from({ length: 22 }, (_, index) => index + 2))
    expect(words.phase).toBe(handlerPhase.idle)
    expect(words.progress).toBe(24)
  })

  it('says what it has in hand before it calls the handler', async () => {
    const { run } = start(25)
    let words: HandlerWords
    const seen: number[][] = []
    record(() => {
      seen.push([words.phase, words.progress, words.callEnd, words.callCount, words.handled])
    })
    const task = run()
    words = task.words
    await task.answer
    expect(seen).toEqual([
      [handlerPhase.calling, 0, 10, 10, 0],
      [handlerPhase.calling, 10, 20, 10, 10],
      [handlerPhase.calling, 20, 25, 5, 20],
    ])
  })

  it('a call that fails when the task was asked to end is no attempt', async () => {
    const { run } = start(25)
    let words: HandlerWords
    record(({ length }) => {
      if (calls.length < 2) return
      words.askStop()
      throw new Error(`told to stop, with ${length}`)
    })
    const task = run()
    words = task.words
    expect(await task.answer).toMatchObject({ done: 10, aloneTo: 0, handled: 10, failed: 0, end: { kind: 'paused' } })
    expect(words.phase).toBe(handlerPhase.idle)
  })

  it('narrows a failing batch down to the message that fails alone, and stops there', async () => {
    record(fails(13))
    const { run } = start(40)
    expect(await run().answer).toMatchObject({
      ...{ done: 13, aloneTo: 20, handled: 13, failed: 2 },
      end: { kind: 'failed', attempt: 2, error: { name: 'RangeError', message: 'no 13' } },
    })
    expect(calls.slice(1)).toEqual([
      { offsets: [10, 11, 12, 13, 14, 15, 16, 17, 18, 19], attempt: 1 },
      { offsets: [10], attempt: 2 },
      { offsets: [11], attempt: 2 },
      { offsets: [12], attempt: 2 },
      { offsets: [13], attempt: 2 },
    ])
  })

  it('goes on where a batch fails whose messages all succeed alone', async () => {
    let isFirst = true
    record(() => {
      if (isFirst) {
        isFirst = false
        throw new Error('just once')
      }
    })
    const { run } = start(15)
    expect(await run().answer).toMatchObject({ done: 15, handled: 15, failed: 1, end: { kind: 'paused' } })
    expect(calls.map(({ offsets }) => offsets.length)).toEqual([10, ...new Array<number>(10).fill(1), 5])
  })

  it('handles alone what it is told to, each as the right attempt', async () => {
    record()
    const { run } = start(20)
    await run({ from: 3, aloneTo: 6, firstAttempt: 5, attempt: 2 }).answer
    expect(calls.slice(0, 4)).toEqual([
      { offsets: [3], attempt: 5 },
      { offsets: [4], attempt: 3 },
      { offsets: [5], attempt: 3 },
      { offsets: [6, 7, 8, 9, 10, 11, 12, 13, 14, 15], attempt: 2 },
    ])
  })

  it('lanes share the messages out, whole keys at a time, in order', async () => {
    record()
    const world = new ProcessingWorld()
    const keyOf = (index: number) => (index % 5 === 4 ? undefined : Buffer.from(`key ${index % 5}`))
    world.append(Array.from({ length: 100 }, (_, index) => ({ value: new Uint8Array(4), key: keyOf(index) })))
    const tasks = new HandlerTasks(
      (_, request) => world.engine.reader.readMapped(request),
      world.means,
      () => nowMs,
    )
    const seen: number[][] = []
    for (const lane of [0, 1, 2]) {
      calls = []
      const words = HandlerWords.allocate(0, 100, 0, false)
      const answer = await tasks.run({
        ...{
          topic: world.topic,
          from: 0,
          lane,
          lanes: 3,
          batchSize: 7,
          views: 'copied',
          module: handlerModule,
          codec: undefined,
          group: 'g',
        },
        ...{ attempt: 1, generation: 0, firstAttempt: 0, resume: undefined, words: words.shared },
      })
      expect(answer.done).toBe(100)
      seen.push(calls.flatMap(({ offsets }) => offsets))
    }
    expect(seen.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index))
    for (const offsets of seen) expect(offsets).toEqual([...offsets].sort((a, b) => a - b))
    for (const key of [0, 1, 2, 3]) {
      expect(seen.filter((offsets) => offsets.some((offset) => offset % 5 === key))).toHaveLength(1)
    }
    // Those without a key are dealt out.
    expect(seen.every((offsets) => offsets.some((offset) => offset % 5 === 4))).toBe(true)
  })

  it('a demand to stop ends it after the call it is in, and the next task resumes in the middle of a chunk', async () => {
    const { run } = start(200, 3_000)
    const first = run()
    record(() => {
      if (calls.length === 3) first.words.askStop()
    })
    const answer = await first.answer
    expect(answer).toMatchObject({ done: 30, end: { kind: 'paused' } })
    record()
    const rest = await run({ from: 30, resume: answer.resume }).answer
    expect(rest.done).toBe(200)
    expect(calls.flatMap(({ offsets }) => offsets)).toEqual(Array.from({ length: 200 }, (_, index) => index))
  })

  it('ends after the call in which it has worked long enough, and its waits for more do not count', async () => {
    const { run } = start(40)
    const first = run({ to: 20, isOpen: true })
    record(() => {
      nowMs += 20
      if (calls.length === 2) setImmediate(() => first.words.extend(40))
    })
    expect(await first.answer).toMatchObject({ done: 40, busyMs: 80 })
    record(() => {
      nowMs += 30
    })
    expect(await run().answer).toMatchObject({ done: 20, busyMs: 60, end: { kind: 'paused' } })
  })

  it('the signal of the context fires when a stop is asked for', async () => {
    const { run } = start(5)
    let words: HandlerWords
    setHandler((_, { signal }) => {
      setImmediate(() => words.askStop())
      return new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    })
    const task = run()
    words = task.words
    expect(await task.answer).toMatchObject({ done: 5 })
  })

  it('goes on where its range grows, and ends with it once that is closed', async () => {
    record()
    const { run } = start(40)
    const { words, answer } = run({ to: 7, isOpen: true })
    for (const end of [8, 20, 33]) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      words.extend(end)
    }
    while (words.progress < 33) await new Promise((resolve) => setTimeout(resolve, 1))
    // Without messages in between: what was done is told while it waits, too.
    expect(words.handled).toBe(33)
    words.extend(40)
    words.close()
    expect(await answer).toMatchObject({ done: 40, handled: 40, end: { kind: 'paused' } })
    expect(calls.flatMap(({ offsets }) => offsets)).toEqual(Array.from({ length: 40 }, (_, index) => index))
  })

  it('does not wait for more for ever', async () => {
    record()
    const { run } = start(10)
    expect(await run({ to: 5, isOpen: true }).answer).toMatchObject({ done: 5, busyMs: 0 })
    const stopped = run({ from: 5, to: 6, isOpen: true })
    await new Promise((resolve) => setTimeout(resolve, 2))
    stopped.words.askStop()
    expect(await stopped.answer).toMatchObject({ done: 6 })
  })

  it('a message that fails in what was added ends the task like any other', async () => {
    record(fails(12))
    const { run } = start(20)
    const { words, answer } = run({ to: 10, isOpen: true })
    await new Promise((resolve) => setTimeout(resolve, 1))
    words.extend(20)
    expect(await answer).toMatchObject({ done: 12, aloneTo: 20, end: { kind: 'failed', attempt: 2 } })
  })

  it('is not done with messages before what their call has appended is written', async () => {
    record()
    let written = () => {}
    const write = () => new Promise<boolean>((resolve) => (written = () => resolve(true)))
    const { run } = start(15, 20, undefined, { count: 1, write })
    const { words, answer } = run()
    while (calls.length === 0) await new Promise(setImmediate)
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    expect([words.phase, words.progress, words.handled]).toEqual([handlerPhase.calling, 0, 0])
    written()
    while (calls.length === 1) await new Promise(setImmediate)
    expect([words.progress, words.handled]).toEqual([10, 10])
    written()
    expect(await answer).toMatchObject({ done: 15, handled: 15 })
  })

  it('a call whose appends have no room is made again, and not for its failure; any other end of them is one', async () => {
    record()
    const outcomes = [new BookendError('BOOKEND_NO_SPACE', 'full'), undefined, new BookendError('BOOKEND_IO', 'broken')]
    const write = async () => {
      if (calls.length <= outcomes.length) throw outcomes[calls.length - 1]
      return true
    }
    const { run } = start(20, 20, undefined, { count: 1, write })
    expect(await run({ batchSize: 5 }).answer).toMatchObject({
      ...{ done: 0, aloneTo: 0, handled: 0, failed: 1 },
      end: { kind: 'unwritten', error: { code: 'BOOKEND_NO_SPACE' } },
    })
    expect(await run({ batchSize: 5, to: 1 }).answer).toMatchObject({ done: 0, end: { kind: 'failed' } })
    expect(await run({ batchSize: 5 }).answer).toMatchObject({ done: 20, handled: 20, failed: 1 })
  })

  it('drops what a call has appended that fails', async () => {
    record(fails(3))
    const ends: string[] = []
    const write: CallAppends['write'] = async ({ ranges }) => ends.push(`${ranges[0].first} to ${ranges[0].end}`) > 0
    const { run } = start(4, 20, undefined, { count: 1, write, end: () => ends.push('end') })
    expect(await run({ batchSize: 2 }).answer).toMatchObject({ done: 3, end: { kind: 'failed' } })
    expect(ends).toEqual(['end', '0 to 2', 'end', 'end', '2 to 3', 'end'])
  })

  it('messages that others have done meanwhile are found one by one, are passed, and count as nothing', async () => {
    record()
    const taken = new Set([2, 3])
    const handled: HandledMessages[] = []
    const write: CallAppends['write'] = async (messages) => {
      if (messages.ranges.some(({ first, end }) => [...taken].some((offset) => offset >= first && offset < end)))
        return false
      handled.push(messages)
      return true
    }
    const { run } = start(6, 20, undefined, { count: 1, write })
    const { answer } = run({ batchSize: 4, generation: 7 })
    expect(await answer).toMatchObject({ done: 6, handled: 4, failed: 0, end: { kind: 'paused' } })
    expect(handled.flatMap(({ ranges }) => ranges)).toEqual([
      { first: 0, end: 1 },
      { first: 1, end: 2 },
      { first: 4, end: 6 },
    ])
    expect(handled[0]).toMatchObject({ topic: 't', group: 'g', generation: 7 })
  })

  it('whatever is thrown becomes an error that can travel', async () => {
    const odd = {
      toString() {
        throw new Error('not even a text')
      },
    }
    for (const thrown of [undefined, null, 'text', odd, Object.assign(new Error('coded'), { code: Symbol('odd') })]) {
      record(() => {
        throw thrown
      })
      const { run } = start(1)
      const { end } = await run({ batchSize: 1 }).answer
      expect(end).toMatchObject({ kind: 'failed', attempt: 1 })
      expect(() => structuredClone(end)).not.toThrow()
    }
  })

  it('a task without messages loads the module, or says that it cannot', async () => {
    record()
    const { run } = start(0)
    expect(await run({ to: 0 }).answer).toMatchObject({ done: 0, end: { kind: 'paused' } })
    expect(calls).toEqual([])
    const bad = new URL('../../fixtures/handler-bad.mjs', import.meta.url).href
    await expect(run({ to: 0, module: bad }).answer).rejects.toMatchObject({ code: 'BOOKEND_HANDLER' })
  })
})

it('a chunk that does not hold what it was read for is handled as far as it goes, and what is missing is told', async () => {
  record()
  const resume = { position: 64, isSparse: false }
  const { run } = start(10, 20, () => ({ bytes: chunkOf(0, [[0, 1], [2], [5, 6]]), next: 10, resume, release() {} }))
  const { done, handled, end } = await run().answer
  expect({ done, handled }).toEqual({ done: 3, handled: 3 })
  expect(calls.map(({ offsets }) => offsets)).toEqual([[0, 1, 2]])
  expect(end).toMatchObject({ kind: 'unreadable', to: 10 })
  expect(JSON.stringify(end)).toContain('message 3 cannot be delivered')
})
