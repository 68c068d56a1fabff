import { getEventListeners } from 'node:events'
import { type Codec, json, text } from 'bookend'
import { expect, it } from 'vitest'
import {
  codedFailureOf,
  collect,
  expectMistake,
  failureOf,
  openLog,
  overwrite,
  placeOf,
  segmentFile,
  temporaryFolder,
  until,
} from '../scenarios/support.js'

const queueOf = async (directory = temporaryFolder()) => {
  const log = await openLog(directory)
  return { log, queue: log.queue('q', { codec: text }), directory }
}

async function pushed(count: number) {
  const found = await queueOf()
  await Promise.all(Array.from({ length: count }, (_, index) => found.queue.push(`m${index}`)))
  return found
}

it('what is pushed is popped once, in order, and then there is nothing', async () => {
  const { queue } = await queueOf()
  expect(await queue.pop()).toBeUndefined()
  expect(await queue.size()).toBe(0)
  for (let number = 0; number < 50; number++) expect(await queue.push(`m${number}`)).toBe(number)
  expect(await queue.size()).toBe(50)
  for (let number = 0; number < 50; number++) {
    expect(await queue.peek()).toBe(`m${number}`)
    expect(await queue.pop()).toBe(`m${number}`)
    expect(await queue.size()).toBe(49 - number)
  }
  expect(await queue.pop()).toBeUndefined()
  expect(await queue.peek()).toBeUndefined()
})

it('values are whatever the codec makes of them, bytes unless said', async () => {
  const { log } = await queueOf()
  const objects = log.queue('objects', { codec: json })
  await objects.push({ a: [1, null] })
  expect(await objects.pop()).toEqual({ a: [1, null] })
  const raw = log.queue('raw')
  await raw.push(new Uint8Array(0))
  await raw.push(new Uint8Array([7]))
  expect(await raw.pop()).toEqual(new Uint8Array(0))
  expect(await raw.pop()).toEqual(new Uint8Array([7]))
})

it('a message that was popped is gone after a restart, the rest is there', async () => {
  const { log, queue, directory } = await pushed(10)
  for (let number = 0; number < 4; number++) await queue.pop()
  await log.close()
  const again = await queueOf(directory)
  expect(await again.queue.size()).toBe(6)
  expect(await collect(again.queue.browse())).toEqual(['m4', 'm5', 'm6', 'm7', 'm8', 'm9'])
  expect(await again.queue.pop()).toBe('m4')
})

it('those who wait are served in the order of their calls, one message each', async () => {
  const { queue } = await queueOf()
  const order: number[] = []
  const waiting = Array.from({ length: 20 }, (_, index) =>
    queue.pop({ timeoutMs: 30_000 }).then((value) => {
      order.push(index)
      return value
    }),
  )
  for (let number = 0; number < 20; number++) await queue.push(`m${number}`)
  expect(await Promise.all(waiting)).toEqual(Array.from({ length: 20 }, (_, index) => `m${index}`))
  expect(order).toEqual([...order].sort((a, b) => a - b))
  expect(await queue.size()).toBe(0)
})

it('a pop that does not wait does not push in before those who do', async () => {
  const { queue } = await queueOf()
  const waiting = queue.pop({ timeoutMs: 30_000 })
  const hasty = queue.pop()
  expect(await hasty).toBeUndefined()
  await queue.push('for the first')
  expect(await waiting).toBe('for the first')
})

it('a pop waits no longer than it says', async () => {
  const { queue } = await queueOf()
  const start = performance.now()
  expect(await queue.pop({ timeoutMs: 25 })).toBeUndefined()
  expect(performance.now() - start).toBeGreaterThanOrEqual(24)
  const late = queue.pop({ timeoutMs: 10 })
  const patient = queue.pop({ timeoutMs: Number.POSITIVE_INFINITY })
  expect(await late).toBeUndefined()
  await queue.push('kept for the patient')
  expect(await patient).toBe('kept for the patient')
})

it('a signal ends the waiting, and no message is lost with it', async () => {
  const { queue } = await queueOf()
  const controller = new AbortController()
  const given = failureOf(() => queue.pop({ timeoutMs: 30_000, signal: controller.signal }))
  const kept = queue.pop({ timeoutMs: 30_000 })
  controller.abort(new Error('changed my mind'))
  expect((await given).message).toBe('changed my mind')
  await queue.push('kept')
  expect(await kept).toBe('kept')
  await queue.push('still there')
  await failureOf(() => queue.pop({ signal: AbortSignal.abort() }))
  expect(await queue.pop()).toBe('still there')
})

it('aborting at any moment either takes the message or leaves it', async () => {
  const { queue } = await pushed(200)
  let popped = 0
  for (let round = 0; round < 200; round++) {
    const controller = new AbortController()
    const pop = queue.pop({ signal: controller.signal }).then(
      () => true,
      () => false,
    )
    for (let turns = round % 4; turns > 0; turns--) await undefined
    if (round % 5 === 4) await new Promise(setImmediate)
    controller.abort()
    if (await pop) popped += 1
  }
  expect(popped + (await queue.size())).toBe(200)
})

it('browsing sees everything not yet popped, and consumes nothing', async () => {
  const { queue } = await pushed(30)
  for (let number = 0; number < 5; number++) await queue.pop()
  const expected = Array.from({ length: 25 }, (_, index) => `m${index + 5}`)
  expect(await collect(queue.browse())).toEqual(expected)
  expect(await collect(queue.browse())).toEqual(expected)
  expect(await queue.size()).toBe(25)
  expect(await queue.pop()).toBe('m5')
})

it('clear drops everything pushed before it, and nothing after', async () => {
  const { log, queue, directory } = await pushed(100)
  await queue.pop()
  // Not awaited: handed over before the call is before it.
  const last = queue.push('last before')
  await queue.clear()
  await last
  expect(await queue.size()).toBe(0)
  expect(await queue.pop()).toBeUndefined()
  expect(await collect(queue.browse())).toEqual([])
  await queue.push('after')
  expect(await queue.peek()).toBe('after')
  await log.close()
  const again = await queueOf(directory)
  expect(await again.queue.size()).toBe(1)
  expect(await again.queue.pop()).toBe('after')
  await again.queue.clear()
  await again.queue.clear()
})

it('what is cleared, or acknowledged by a consumer of the group, while it is looked up is not popped', async () => {
  const { log, queue } = await pushed(3)
  const popped = queue.pop()
  await queue.clear()
  expect(await popped).toBeUndefined()
  await queue.push('after')
  const consumer = log.topic('q').group('queue').consume()
  const { value: delivery } = await consumer.next()
  await delivery?.nack()
  const again = queue.pop()
  await delivery?.ack()
  expect(await again).toBeUndefined()
})

it('clearing satisfies nobody who waits', async () => {
  const { queue } = await queueOf()
  const waiting = queue.pop({ timeoutMs: 30_000 })
  await queue.clear()
  await queue.push('x')
  expect(await waiting).toBe('x')
})

it('iterating pops, and waits for more', async () => {
  const { queue } = await pushed(3)
  const seen: string[] = []
  const all = (async () => {
    for await (const value of queue) {
      seen.push(value)
      if (value === 'stop') break
    }
  })()
  await until('the first three are popped', () => seen.length === 3)
  await queue.push('more')
  await queue.push('stop')
  await queue.push('left')
  await all
  expect(seen).toEqual(['m0', 'm1', 'm2', 'more', 'stop'])
  expect(await queue.pop()).toBe('left')
})

it('closing the log ends those who wait', async () => {
  const { log, queue } = await queueOf()
  const waiting = codedFailureOf(() => queue.pop({ timeoutMs: 30_000 }))
  await new Promise((resolve) => setTimeout(resolve, 5))
  await log.close()
  expect((await waiting).code).toBe('BOOKEND_CLOSED')
  const calls = [() => queue.push('x'), () => queue.pop(), () => queue.peek(), () => queue.size(), () => queue.clear()]
  for (const call of [...calls, () => collect(queue.browse()), () => log.queue('q')]) {
    expect((await codedFailureOf(call)).code).toBe('BOOKEND_CLOSED')
  }
})

it('a message that cannot be decoded stays where it is', async () => {
  const { log } = await queueOf()
  let isBroken = true
  const codec: Codec<string> = {
    encode: text.encode,
    decode: (bytes) => {
      if (isBroken) throw new Error('cannot read this')
      return text.decode(bytes)
    },
  }
  const queue = log.queue('q', { codec })
  await queue.push('a')
  await queue.push('b')
  const error = await codedFailureOf(() => queue.pop())
  expect(error).toMatchObject({ code: 'BOOKEND_DECODE', cause: { message: 'cannot read this' } })
  expect(await queue.size()).toBe(2)
  isBroken = false
  expect(await queue.pop()).toBe('a')
  expect(await queue.pop()).toBe('b')
})

it('damage is reported, popped over with a seek, and hides nothing behind it', async () => {
  const directory = temporaryFolder()
  const log = await openLog(directory)
  for (let number = 0; number < 40; number++) await log.queue('q').push(new Uint8Array(40_000).fill(number + 1))
  await log.close()
  const file = segmentFile(directory, 0)
  overwrite(file, placeOf(file, 4), new Uint8Array([0xee]))
  const reopened = await openLog(directory)
  const queue = reopened.queue('q')
  for (let number = 0; number < 3; number++) expect((await queue.pop())?.[0]).toBe(number + 1)
  const error = await codedFailureOf(() => queue.pop())
  expect(error).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 3 })
  expect(await codedFailureOf(() => queue.pop())).toMatchObject({ code: 'BOOKEND_CORRUPT', offset: 3 })
  await reopened
    .topic('q')
    .group('queue')
    .seek(error.next as number)
  for (let number = error.next as number; number < 40; number++) expect((await queue.pop())?.[0]).toBe(number + 1)
})

it('wrong arguments are refused at the call', async () => {
  const { log, queue } = await queueOf()
  await expectMistake(() => log.queue('.q'), RangeError)
  await expectMistake(() => log.queue('q', { codec: {} as never }), TypeError)
  await expectMistake(() => queue.pop({ timeoutMs: -1 }), RangeError)
  await expectMistake(() => queue.pop({ timeoutMs: '1' as never }), TypeError)
  await expectMistake(() => queue.pop({ timeout: 1 } as never), TypeError)
  await expectMistake(() => queue.pop({ signal: {} as never }), TypeError)
})

it('asking in a loop, however it is done, lets the event loop turn', async () => {
  const { queue } = await queueOf()
  const ways: (() => Promise<boolean>)[] = [
    async () => (await queue.pop()) !== undefined,
    async () => (await queue.peek()) !== undefined,
    async () => (await collect(queue.browse())).length > 0,
  ]
  for (const isThere of ways) {
    await queue.clear()
    const pushed = new Promise((resolve) => setTimeout(resolve, 5)).then(() => queue.push('at last'))
    while (!(await isThere()));
    await pushed
  }
})

it('pops that have given up leave nothing behind: no listener at their signal, no timer', async () => {
  const { queue } = await queueOf()
  const { signal } = new AbortController()
  for (let count = 0; count < 30; count++) expect(await queue.pop({ timeoutMs: 1, signal })).toBeUndefined()
  expect(getEventListeners(signal, 'abort').length).toBeLessThan(2)
  const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length
  const before = timers()
  const waiting = Array.from({ length: 50 }, async () => {
    const own = new AbortController()
    const popped = queue.pop({ timeoutMs: 1_000_000, signal: own.signal })
    await new Promise(setImmediate)
    own.abort()
    await expect(popped).rejects.toMatchObject({ name: 'AbortError' })
  })
  await Promise.all(waiting)
  expect(timers()).toBeLessThan(before + 25)
})
