/** Streams that several servers serve, of which one keeps what is known of them: here all in one thread, which is no different for what they say to each other. */
import { createServer } from 'bookend/http'
import { expect, it, onTestFinished } from 'vitest'
import { expectMistake, openLog } from '../scenarios/support.js'
import { type Ask, jsonType, producing, type Streams, streams, text } from './web.js'

interface Sharing extends Streams {
  /** Of the server that keeps, and of two others. */
  readonly asks: readonly [Ask, Ask, Ask]
  readonly others: readonly Streams[]
}

async function sharing(): Promise<Sharing> {
  const keeper = await streams({ longPollMs: 600_000 })
  const others = [
    await streams({ longPollMs: 600_000, streams: keeper.server.port() }, keeper.log),
    await streams({ longPollMs: 600_000, streams: keeper.server.port() }, keeper.log),
  ]
  return { ...keeper, others, asks: [keeper.ask, others[0].ask, others[1].ask] }
}

it('what one has answered is known to all', async () => {
  const { asks } = await sharing()
  const [, a, b] = asks
  const everywhere = async (path: string, expected: number, body?: string) => {
    for (const ask of asks) {
      const reply = await ask('GET', path)
      expect(reply.status, path).toBe(expected)
      if (body !== undefined) expect(await reply.text()).toBe(body)
    }
  }
  await everywhere('/s', 404)
  expect((await a('PUT', '/s', text, 'one ')).status).toBe(201)
  expect((await b('PUT', '/s', text)).status).toBe(200)
  await everywhere('/s', 200, 'one ')
  for (const ask of asks) expect((await ask('POST', '/s', text, 'more ')).status).toBe(204)
  expect((await a('POST', '/s', { ...text, ...producing('p', 0, 0) }, 'p0 ')).status).toBe(200)
  expect((await b('POST', '/s', { ...text, ...producing('p', 0, 0) }, 'p0 ')).status).toBe(204)
  expect((await b('POST', '/s', { ...text, ...producing('p', 0, 2) }, 'p2 ')).status).toBe(409)
  await everywhere('/s', 200, 'one more more more p0 ')
  expect((await b('PUT', '/f', { 'stream-forked-from': '/s', 'stream-closed': 'true' }, undefined)).status).toBe(201)
  expect((await a('DELETE', '/s')).status).toBe(204)
  await everywhere('/s', 410)
  await everywhere('/f', 200, 'one more more more p0 ')
  for (const ask of asks) expect((await ask('POST', '/f', text, 'x')).status).toBe(409)
  expect((await b('DELETE', '/f')).status).toBe(204)
  await everywhere('/f', 404)
  await expect.poll(async () => (await a('PUT', '/s', jsonType, '[1]')).status).toBe(201)
  await everywhere('/s', 200, '[1]')
  expect((await a('POST', '/s', jsonType, '{')).status).toBe(400)
})

it('a close stands behind everything that any of them has taken, and nothing behind it', async () => {
  const { asks } = await sharing()
  for (let round = 0; round < 10; round++) {
    const path = `/s${round}`
    await asks[0]('PUT', path, text)
    // So that all have a copy.
    for (const ask of asks) await ask('POST', path, text, '.')
    let isClosed = false
    const appended = asks.map(async (ask) => {
      let count = 0
      for (let tries = 0; ; tries++) {
        const wasClosed = isClosed
        const { status } = await ask('POST', path, text, '.')
        if (status !== 204) {
          expect(status).toBe(409)
          return count
        }
        expect(wasClosed).toBe(false)
        count += 1
        if (tries === round) void close()
      }
    })
    let closing: Promise<void> | undefined
    const close = () => {
      closing ??= asks[round % 3]('POST', path, { ...text, 'stream-closed': 'true' }, 'end').then(({ status }) => {
        expect(status).toBe(204)
        isClosed = true
      })
    }
    const total = (await Promise.all(appended)).reduce((sum, count) => sum + count, 3)
    await closing
    for (const ask of asks) {
      const reply = await ask('GET', path)
      expect(reply.headers.get('stream-closed')).toBe('true')
      expect(await reply.text()).toBe(`${'.'.repeat(total)}end`)
    }
  }
})

it('who waits at one is told by it of what another has done', async () => {
  const { asks } = await sharing()
  const [, a, b] = asks
  for (const end of ['message', 'close', 'delete'] as const) {
    const made = await b('PUT', `/${end}`, text, 'x')
    const from = `/${end}?offset=${made.headers.get('stream-next-offset')}`
    const waiting = asks.map((ask) => ask('GET', `${from}&live=long-poll`))
    const events = ((await a('GET', `${from}&live=sse`)).body as ReadableStream<Uint8Array>).getReader()
    expect(Buffer.from((await events.read()).value ?? []).toString()).toContain('upToDate')
    if (end === 'message') await b('POST', `/${end}`, text, 'y')
    if (end === 'close') await b('POST', `/${end}`, { 'stream-closed': 'true' })
    if (end === 'delete') await b('DELETE', `/${end}`)
    const seen = (await Promise.all(waiting)).map(({ status, headers }) => [status, headers.get('stream-closed')])
    const expected = { message: [200, null], close: [204, 'true'], delete: [404, null] }[end]
    expect(seen).toEqual([expected, expected, expected])
    const next = Buffer.from((await events.read()).value ?? []).toString()
    if (end === 'message') expect(next).toContain('data:y\n')
    else expect(next).toContain(end === 'close' ? '"streamClosed":true' : '')
    if (end === 'message') await events.cancel()
    else expect((await events.read()).done).toBe(true)
  }
})

it('one that ends holds up nobody, and those that are left without the keeper say so', async () => {
  const { asks, others, server } = await sharing()
  const [keeper, a, b] = asks
  await keeper('PUT', '/s', text)
  for (const ask of asks) await ask('POST', '/s', text, '.')
  const ending = others[0].server.close()
  expect((await b('POST', '/s', { 'stream-closed': 'true' })).status).toBe(204)
  await ending
  expect((await a('GET', '/s')).status).toBe(503)
  await server.close()
  expect((await b('PUT', '/t', text)).status).toBe(503)
  await expect.poll(async () => (await b('GET', '/s')).status).toBe(503)
})

it('a port is for one server, and comes from the one that keeps', async () => {
  const log = await openLog()
  const server = createServer(log)
  const port = server.port()
  const other = createServer(log, { streams: port })
  onTestFinished(async () => {
    await other.close()
    await server.close()
  })
  await expectMistake(() => createServer(log, { streams: port }), TypeError)
  await expectMistake(() => createServer(log, { streams: {} as never }), TypeError)
  await expectMistake(() => other.port(), TypeError)
})
