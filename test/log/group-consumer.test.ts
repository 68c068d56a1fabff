/** How a consumer's calls wait for each other: one of them asks, the others stand behind it. */
import { expect, it } from 'vitest'
import type { EngineGroup, Subscription } from '../../src/engine/group-seat.js'
import type { LeasedMessage } from '../../src/log/delivery.js'
import { GroupConsumer } from '../../src/log/group-consumer.js'

type Given = LeasedMessage<number>
type Answer = Given | Promise<Given | undefined>

const given = (offset: number) => ({ offset }) as Given
const nothing = new Promise<undefined>(() => {})

/** A consumer of what stands in `answers`, which it is given in order. */
function consumerOf(answers: Answer[], signal?: AbortSignal) {
  const seen = { asked: 0, closed: 0 }
  const seat: Pick<Subscription<Given>, 'next' | 'close'> = {
    next: () => answers[seen.asked++] ?? nothing,
    close: () => {
      seen.closed += 1
    },
  }
  const group = { name: 'g', subscribe: () => seat } as unknown as EngineGroup
  const options = { from: 'first', prefetch: 10, ackTimeoutMs: 1_000, signal } as const
  return { consumer: new GroupConsumer<number>(group, { topic: 't', decode: undefined }, options, 'log'), seen }
}

/** The offset, `done`, or the error, of each. */
const outcomes = (calls: readonly Promise<IteratorResult<{ offset: number }, undefined>>[]) =>
  Promise.all(
    calls.map((call) =>
      call.then(
        ({ value }) => value?.offset ?? 'done',
        (error) => error,
      ),
    ),
  )

it('while one call waits the others ask for nothing, and then get in order what is at hand', async () => {
  let arrive = (_: Given) => {}
  const late = new Promise<Given>((resolve) => {
    arrive = resolve
  })
  const { consumer, seen } = consumerOf([late, given(1), given(2), Promise.resolve(given(3)), given(4), given(5)])
  const calls = Array.from({ length: 5 }, () => consumer.next())
  expect(seen.asked).toBe(1)
  arrive(given(0))
  expect(await outcomes(calls)).toEqual([0, 1, 2, 3, 4])
  expect(await outcomes([consumer.next()])).toEqual([5])
  expect(seen).toEqual({ asked: 6, closed: 0 })
})

it('where nothing more comes all that wait are done, and the seat is given up once', async () => {
  const { consumer, seen } = consumerOf([Promise.resolve(given(0)), Promise.resolve(undefined)])
  expect(await outcomes(Array.from({ length: 4 }, () => consumer.next()))).toEqual([0, 'done', 'done', 'done'])
  expect(await outcomes([consumer.next()])).toEqual(['done'])
  expect(seen).toEqual({ asked: 2, closed: 1 })
})

it('an error is told to the call that met it, and ends the consumer', async () => {
  const error = new Error('unreadable')
  const { consumer, seen } = consumerOf([Promise.reject(error), given(1)])
  expect(await outcomes([consumer.next(), consumer.next()])).toEqual([error, 'done'])
  expect(seen).toEqual({ asked: 1, closed: 1 })
})

it('under a signal that aborts all that wait are told its reason, in the place of more as well', async () => {
  const { signal, ...controller } = aborting()
  const { consumer, seen } = consumerOf([Promise.resolve(given(0)), Promise.resolve(undefined)], signal)
  const calls = [consumer.next(), consumer.next(), consumer.next()]
  controller.abort('enough')
  expect(await outcomes([...calls, consumer.next()])).toEqual([0, 'enough', 'enough', 'enough'])
  expect(seen.closed).toBe(1)
})

function aborting() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: (reason: string) => controller.abort(reason) }
}
