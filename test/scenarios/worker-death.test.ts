import { expect, it } from 'vitest'
import { codedFailureOf, collect, openLog, report, temporaryFolder } from './support.js'

interface Death {
  codes: string[]
  later: Record<string, string>
  acknowledged: number
  next: number
  readable: number
  one: number
  errors: { count: number; last: string }
  closed: string
  reopened: number
  damages: unknown[]
  areMappingsGone: boolean
  isMemoryOurs: boolean
}

for (const [role, how] of [
  ['writer', 'terminate'],
  ['writer', 'memory'],
]) {
  it(`when the ${role} dies, what waits is rejected, reading goes on, and a reopened log has all acknowledged (${how})`, async () => {
    const death = await report<Death>('writer-death.mjs', [role, how, temporaryFolder()])
    const { codes, later, acknowledged, next, readable, one, errors, closed, reopened, damages } = death
    expect(codes.filter((code) => code !== 'BOOKEND_WORKER')).toEqual([])
    expect(Object.entries(later).filter(([, code]) => code !== 'BOOKEND_WORKER')).toEqual([])
    expect(acknowledged).toBeGreaterThanOrEqual(100)
    expect(next).toBeGreaterThanOrEqual(acknowledged)
    expect(readable).toBe(next)
    expect(one).toBe(5)
    expect(errors.last).toBe('BOOKEND_WORKER')
    expect(closed).toBe('closed')
    expect(reopened).toBeGreaterThanOrEqual(acknowledged)
    expect(damages).toEqual([])
    expect(death.isMemoryOurs).toBe(true)
  })
}

it('a reaper that dies in the middle of everything is replaced, and no call fails', async () => {
  const death = await report<Death>('writer-death.mjs', ['reaper', 'terminate', temporaryFolder()])
  const { codes, later, acknowledged, next, readable, errors, closed, reopened, damages } = death
  expect(codes).toEqual([])
  expect(Object.entries(later).filter(([, code]) => code !== 'no error')).toEqual([])
  expect(acknowledged).toBe(301)
  expect(next).toBeGreaterThan(acknowledged)
  expect({ readable, reopened, closed, damages }).toEqual({
    readable: next - 1,
    reopened: next,
    closed: 'closed',
    damages: [],
  })
  // Noticed by those who look, not by those who call.
  expect(errors).toEqual({ count: 1, last: 'BOOKEND_WORKER' })
  expect(death.isMemoryOurs).toBe(true)
})

it('a reaper that dies while its log is still being opened is replaced as well', async () => {
  const found = await report('early-reaper-death.mjs', [temporaryFolder()])
  expect(found).toEqual({ next: 100, read: 100, errors: 1 })
})

const bad = (how: string) => new URL(`../fixtures/scan-bad.mjs?${how}`, import.meta.url)

for (const how of ['exit', 'throw-later']) {
  it(`a module that ends its reader thread fails its scan with BOOKEND_WORKER, and others go on (${how})`, async () => {
    const log = await openLog(temporaryFolder(), { readers: 2, mapTtlMs: 50 })
    const topic = log.topic('t')
    for (let number = 0; number < 60; number++) await topic.append(new Uint8Array(40_000).fill(number))
    await collect(topic.read())
    for (let round = 0; round < 2; round++) {
      const dying = codedFailureOf(() => topic.scan(bad(how)))
      const reads = Promise.allSettled(Array.from({ length: 20 }, (_, number) => topic.get(number)))
      const error = await dying
      expect(error.code).toBe('BOOKEND_WORKER')
      expect(error.cause).toBeInstanceOf(Error)
      // A read in a thread that was killed under it may fail too, but by the same code, and only once.
      for (const [number, result] of (await reads).entries()) {
        if (result.status === 'fulfilled') expect(result.value?.value[0]).toBe(number)
        else expect(result.reason.code).toBe('BOOKEND_WORKER')
      }
      const messages = await collect(topic.read())
      expect(messages.map(({ value }) => value[39_999])).toEqual(messages.map((_, number) => number))
      expect(await topic.append(new Uint8Array(40_000).fill(60 + round))).toBe(60 + round)
    }
    await log.close()
  })
}

it('reads are answered while there is no reader thread that could', async () => {
  const found = await report('stand-in.mjs', [temporaryFolder()])
  expect(found).toEqual({
    got: 7,
    many: [199, 3, null],
    at: 0,
    read: 200,
    trimmed: null,
    failure: 'BookendError BOOKEND_TRIMMED 150',
    wasHeld: true,
    isHeld: false,
  })
})

it('flushSync fails at once when the thread that would flush is dead, and flush waits for the next one', async () => {
  const found = await report('flush-sync-orphan.mjs', [temporaryFolder(), 'reaper'])
  const disk = 'BOOKEND_WORKER flushSync: the reaper thread has died'
  expect(found).toEqual({ blocked: { disk, process: 'done' }, later: 'done', isDurable: true, next: 2 })
})

it('flushSync fails at once when the writer is dead', async () => {
  const { blocked, later } = await report<{ blocked: unknown; later: string }>('flush-sync-orphan.mjs', [
    temporaryFolder(),
    'writer',
  ])
  const failure = 'BOOKEND_WORKER flushSync: the writer thread has died'
  expect({ blocked, later }).toEqual({ blocked: { disk: failure, process: failure }, later: 'BOOKEND_WORKER' })
})
