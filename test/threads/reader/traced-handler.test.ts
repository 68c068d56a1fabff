import diagnostics from 'node:diagnostics_channel'
import { expect, it } from 'vitest'
import type { HandlerContext } from '../../../src/engine/handler.js'
import { tracedHandler } from '../../../src/threads/reader/traced-handler.js'

const context = { topic: 't', group: 'g', attempt: 2, signal: new AbortController().signal } as HandlerContext
const batch = [] as never

it('a call is told with its batch until it has settled, and with what it throws', async () => {
  const told: [string, Record<string, unknown>][] = []
  const on = (event: string) => (context: object) => void told.push([event, { ...context }])
  const subscribers = { start: on('start'), asyncEnd: on('asyncEnd'), error: on('error') }
  const channel = diagnostics.tracingChannel('bookend:process')
  channel.subscribe(subscribers as never)
  try {
    await tracedHandler(async () => 'done')(batch, context)
    const broken = tracedHandler(() => {
      throw new Error('no')
    })
    await expect(broken(batch, context)).rejects.toThrow('no')
    expect(told.map(([event]) => event)).toEqual(['start', 'asyncEnd', 'start', 'error', 'asyncEnd'])
    expect(told[0][1]).toEqual({ topic: 't', group: 'g', attempt: 2, batch })
  } finally {
    channel.unsubscribe(subscribers as never)
  }
})

it('a call that nobody is told of is the call itself', () => {
  const result = {}
  expect(tracedHandler(() => result)(batch, context)).toBe(result)
})
