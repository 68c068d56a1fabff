import diagnostics from 'node:diagnostics_channel'
import { bytes, type Message, text } from 'bookend'
import { afterEach, expect, it } from 'vitest'
import { EngineLog } from '../../src/log/log.js'
import { MemoryEngine } from '../support/memory-engine/memory-engine.js'

type Told = [event: string, context: Record<string, unknown>]

const unsubscribes: (() => void)[] = []

afterEach(() => {
  for (const unsubscribe of unsubscribes.splice(0)) unsubscribe()
})

/** What a channel tells, in order; `onStart` may write to the context. */
function listen(name: string, onStart: (context: never) => void = () => {}): Told[] {
  const told: Told[] = []
  const channel = diagnostics.tracingChannel(`bookend:${name}`)
  const on = (event: string) => (context: object) => {
    if (event === 'start') onStart(context as never)
    told.push([event, { ...context }])
  }
  const subscribers = Object.fromEntries(
    ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((each) => [each, on(each)]),
  )
  channel.subscribe(subscribers as never)
  unsubscribes.push(() => channel.unsubscribe(subscribers as never))
  return told
}

const openLog = () => new EngineLog(new MemoryEngine({ maxMessageBytes: 1000 }))
const events = (told: Told[]) => told.map(([event]) => event)

it('an append is told from its call until it is acknowledged', async () => {
  const told = listen('append')
  const topic = openLog().topic('t', { codec: text })
  await topic.append('a')
  await topic.appendMany(['b', 'c'])
  topic.offer('d')
  const whole = ['start', 'end', 'asyncStart', 'asyncEnd']
  expect(events(told)).toEqual([...whole, ...whole, 'start', 'end'])
  expect(told[3][1]).toMatchObject({ log: 'memory', topic: 't', count: 1, result: 0 })
  expect(told[7][1]).toMatchObject({ count: 2, result: { first: 1, count: 2 } })
})

it('what a subscriber adds to the headers travels with the messages, under those of the call', async () => {
  listen('append', (context: { headers: Record<string, string> }) => {
    Object.assign(context.headers, { traceparent: '00-1', mine: 'traced' })
  })
  const log = openLog()
  const topic = log.topic('t')
  await topic.append(new Uint8Array(1), { headers: { mine: 'own' } })
  await topic.appendMany([new Uint8Array(1)])
  topic.offer(new Uint8Array(1))
  await log.flush()
  const headers = (await topic.getMany([0, 1, 2])).map((message) => message?.headers)
  const added = { traceparent: '00-1', mine: 'traced' }
  expect(headers).toEqual([{ traceparent: '00-1', mine: 'own' }, added, added])
})

it('bad headers are refused as they are without a subscriber', async () => {
  listen('append', (context: { headers: Record<string, string> }) => {
    context.headers.traceparent = '00-1'
  })
  const topic = openLog().topic('t')
  const getter = {
    get a(): string {
      return '1'
    },
  }
  for (const headers of [
    'text',
    ['a'],
    new (class Headers {
      a = '1'
    })(),
    getter,
    { a: 1 },
    null,
  ] as never[])
    await expect(topic.append(new Uint8Array(1), { headers })).rejects.toBeInstanceOf(TypeError)
  expect(await topic.bounds()).toEqual({ first: 0, next: 0 })
})

it('what fails is told with its error', async () => {
  const told = listen('append')
  listen('read')
  const topic = openLog().topic('t')
  await expect(topic.append(new Uint8Array(2000))).rejects.toMatchObject({ code: 'BOOKEND_TOO_LARGE' })
  await expect(topic.appendMany('none' as never)).rejects.toBeInstanceOf(TypeError)
  await expect(topic.getMany(undefined as never)).rejects.toBeInstanceOf(TypeError)
  expect(events(told).filter((event) => event === 'error')).toHaveLength(2)
  expect(told.find(([event]) => event === 'error')?.[1].error).toMatchObject({ code: 'BOOKEND_TOO_LARGE' })
})

it('lookups and flushes are told', async () => {
  const reads = listen('read')
  const flushes = listen('flush')
  const log = openLog()
  await log.topic('t').get(0)
  await log.topic('t').getMany([0, 1, 2])
  await log.flush()
  expect(reads.filter(([event]) => event === 'start').map(([, { topic, count }]) => [topic, count])).toEqual([
    ['t', 1],
    ['t', 3],
  ])
  expect(flushes.find(([event]) => event === 'asyncEnd')?.[1]).toMatchObject({ log: 'memory', level: 'process' })
})

it('a delivery is told from when it is handed over until it is settled, with the headers of its append', async () => {
  const told = listen('consume')
  const topic = openLog().topic('t', { codec: text })
  await topic.append('a', { headers: { traceparent: '00-7' } })
  await topic.append('b')
  const consumer = topic.group('g').consume()
  const { value: first } = await consumer.next()
  expect(told).toEqual([
    ['start', { log: 'memory', topic: 't', group: 'g', offset: 0, attempt: 1, headers: { traceparent: '00-7' } }],
    expect.arrayContaining(['end']),
  ])
  await first.ack()
  await first.ack()
  const { value: second } = await consumer.next()
  await second.nack()
  const ends = told.filter(([event]) => event === 'asyncEnd').map(([, { offset, outcome }]) => [offset, outcome])
  expect(ends).toEqual([
    [0, 'acknowledged'],
    [1, 'given back'],
  ])
})

it('nobody is told anything once nobody listens', async () => {
  const told = listen('append')
  for (const unsubscribe of unsubscribes.splice(0)) unsubscribe()
  const topic = openLog().topic('t', { codec: bytes })
  await topic.append(new Uint8Array(1))
  expect(((await topic.get(0)) as Message<Uint8Array>).offset).toBe(0)
  expect(told).toEqual([])
})
