import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { type Ask, jsonType, type Streams, streams, text } from '../web.js'

const until = <T>(what: () => T | Promise<T>) => expect.poll(what, { timeout: 60_000 })

interface Claimed {
  wake_id: string
  generation: number
  token: string
  streams: { path: string; acked_offset: string; tail_offset: string }[]
}

async function pulling(config: object = {}, options: Parameters<typeof streams>[0] = {}): Promise<Streams> {
  const opened = await streams({ subscriptions: 'pull-wake', ...options })
  await opened.ask('PUT', '/wakes', jsonType)
  const body = { type: 'pull-wake', pattern: 'events/**', wake_stream: 'wakes', lease_ttl_ms: 600_000, ...config }
  expect((await opened.ask('PUT', '/__ds/subscriptions/s', {}, JSON.stringify(body))).status).toBe(201)
  return opened
}

async function tell(ask: Ask, action: string, body: object, token?: string) {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const reply = await ask('POST', `/__ds/subscriptions/s/${action}`, headers, JSON.stringify(body))
  const said = await reply.text()
  return { status: reply.status, body: said === '' ? undefined : JSON.parse(said) }
}

async function claim(ask: Ask): Promise<Claimed> {
  const { status, body } = await tell(ask, 'claim', { worker: 'w' })
  expect(status, JSON.stringify(body)).toBe(200)
  return body
}

const ack = (ask: Ask, { wake_id, generation, token, streams }: Claimed, done = true) => {
  const acks = streams.map(({ path, tail_offset }) => ({ stream: path, offset: tail_offset }))
  return tell(ask, 'ack', { wake_id, generation, acks, done }, token)
}

// biome-ignore lint/suspicious/noExplicitAny: what an answer says is what is asserted
const jsonOf = (reply: Response): Promise<any> => reply.json()
const wakesIn = async (ask: Ask): Promise<{ generation: number; stream: string }[]> =>
  jsonOf(await ask('GET', '/wakes'))
const described = async (ask: Ask) => jsonOf(await ask('GET', '/__ds/subscriptions/s'))

it('a subscription names so many streams at most, in a body that is not long', async () => {
  const { ask } = await pulling()
  const named = (from: number, count: number) => ({
    streams: Array.from({ length: count }, (_, at) => `n${from + at}`),
  })
  expect((await tell(ask, 'streams', named(0, 10_001))).status).toBe(400)
  expect((await tell(ask, 'streams', named(0, 9_999))).status).toBe(204)
  expect((await tell(ask, 'streams', named(9_999, 2))).status).toBe(400)
  expect((await tell(ask, 'streams', named(9_998, 2))).status).toBe(204)
  const long = JSON.stringify({ worker: 'w'.repeat(1 << 20) })
  expect((await ask('POST', '/__ds/subscriptions/s/claim', {}, long)).status).toBe(413)
})

it('a server that ends in the middle of a wake is followed by one that goes on with it', async () => {
  const { ask, log, server } = await pulling()
  await ask('PUT', '/events/a/1', text, 'x')
  await until(() => wakesIn(ask)).toMatchObject([{ generation: 1, stream: 'events/a/1' }])
  const claimed = await claim(ask)
  await server.close()

  const next = await streams({ subscriptions: 'pull-wake' }, log)
  const busy = await tell(next.ask, 'claim', { worker: 'other' })
  expect(busy).toMatchObject({ status: 409, body: { error: { code: 'ALREADY_CLAIMED', current_holder: 'w' } } })
  expect(await ack(next.ask, claimed)).toMatchObject({ status: 200, body: { ok: true, next_wake: false } })
  await next.ask('POST', '/events/a/1', text, 'y')
  await until(() => wakesIn(next.ask)).toMatchObject([{ generation: 1 }, { generation: 2 }])
  await next.server.close()

  // What came while nobody served is told by the next one, and generations go on.
  await log.topic('events.a.1').append(new Uint8Array(1))
  const last = await streams({ subscriptions: 'pull-wake' }, log)
  const again = await claim(last.ask)
  expect(again.generation).toBe(2)
  expect(again.streams[0].acked_offset).toBe(claimed.streams[0].tail_offset)
  expect(await ack(last.ask, again)).toMatchObject({ status: 200, body: { next_wake: false } })
})

it('what has come since is another wake, and reports of the one before are fenced', async () => {
  const { ask } = await pulling()
  await ask('PUT', '/events/a', text, 'x')
  const first = await claim(ask)
  await ask('POST', '/events/a', text, 'y')
  expect(await ack(ask, first)).toMatchObject({ status: 200, body: { next_wake: true } })
  for (const report of [ack(ask, first), tell(ask, 'release', first, first.token)])
    expect(await report).toMatchObject({ status: 409, body: { error: { code: 'FENCED' } } })
  const second = await claim(ask)
  expect(second.generation).toBe(2)
  expect((await ack(ask, { ...second, token: `${second.token}x` })).status).toBe(401)
  // As a heartbeat: it stays claimed.
  expect(await ack(ask, second, false)).toMatchObject({ status: 200, body: { ok: true, next_wake: false } })
  expect((await tell(ask, 'claim', { worker: 'other' })).status).toBe(409)
  expect((await tell(ask, 'release', second, second.token)).status).toBe(204)
  expect((await tell(ask, 'claim', { worker: 'w' })).body.error.code).toBe('NO_PENDING_WORK')
})

it('a lease that ends gives the wake to others, with the next generation', async () => {
  const { ask } = await pulling({ lease_ttl_ms: 1_000 })
  await ask('PUT', '/events/a', text, 'x')
  const first = await claim(ask)
  await until(async () => (await wakesIn(ask)).at(-1)?.generation).toBe(2)
  expect((await ack(ask, first)).status).toBe(409)
  expect((await claim(ask)).generation).toBe(2)
})

it('cursors do not go back, nor beyond the end, nor to what is no stream of it', async () => {
  const { ask } = await pulling()
  await ask('PUT', '/events/a', text, 'x')
  const { wake_id, generation, token, streams } = await claim(ask)
  const { path, tail_offset } = streams[0]
  const report = (stream: string, offset: string) =>
    tell(ask, 'ack', { wake_id, generation, acks: [{ stream, offset }] }, token)
  expect((await report(path, tail_offset)).status).toBe(200)
  for (const offset of [
    '-1',
    '',
    'now',
    tail_offset.replace(/1$/, '0'),
    tail_offset.replace(/1$/, '2'),
    `${tail_offset}0`,
  ])
    expect(await report(path, offset), offset).toMatchObject({
      status: 409,
      body: { error: { code: 'INVALID_OFFSET' } },
    })
  expect((await report('wakes', tail_offset)).status).toBe(409)
  expect((await report('', tail_offset)).status).toBe(400)
})

it('streams are linked by name and by pattern, from their ends on, and go with their streams', async () => {
  const opened = await streams({ subscriptions: 'pull-wake' })
  const { ask } = opened
  await ask('PUT', '/events/old', text, 'before')
  const body = { type: 'pull-wake', pattern: '**', streams: ['named', 'events/old'], wake_stream: 'wakes' }
  await ask('PUT', '/__ds/subscriptions/s', {}, JSON.stringify(body))
  const links = async () => {
    const { streams } = await described(ask)
    return Object.fromEntries(streams.map((each: { path: string; link_type: string }) => [each.path, each.link_type]))
  }
  expect(await links()).toEqual({ 'events/old': 'explicit', named: 'explicit' })
  expect((await tell(ask, 'claim', { worker: 'w' })).body.error.code).toBe('NO_PENDING_WORK')
  await ask('PUT', '/wakes', jsonType)
  await ask('PUT', '/named', text, 'x')
  await until(links).toEqual({ 'events/old': 'explicit', named: 'explicit' })
  await until(() => wakesIn(ask)).toMatchObject([{ stream: 'named' }])
  expect((await ask('DELETE', '/__ds/subscriptions/s/streams/events%2Fold')).status).toBe(204)
  expect(await links()).toEqual({ 'events/old': 'glob', named: 'explicit' })
  await ask('DELETE', '/events/old')
  await ask('DELETE', '/named')
  await until(links).toEqual({ named: 'explicit' })
  expect((await ask('DELETE', '/__ds/subscriptions/s')).status).toBe(204)
  expect((await ask('GET', '/__ds/subscriptions/s')).status).toBe(404)
  expect((await ask('DELETE', '/__ds/subscriptions/s')).status).toBe(204)
})

it('a webhook that fails is asked again, by the next server too, with the same wake', async () => {
  const told: { wake_id: string; generation: number }[] = []
  let status = 500
  const hook = createServer((request, response) => {
    let body = ''
    request.on('data', (piece) => {
      body += piece
    })
    request.on('end', () => {
      told.push(JSON.parse(body))
      response.writeHead(status).end(JSON.stringify({ done: true }))
    })
  }).listen(0, '127.0.0.1')
  onTestFinished(() => {
    hook.close()
  })
  await new Promise((resolve) => hook.once('listening', resolve))
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`
  const { ask, log, server } = await streams({ subscriptions: 'local-webhooks' })
  const body = JSON.stringify({ type: 'webhook', pattern: '*', webhook: { url } })
  expect((await ask('PUT', '/__ds/subscriptions/s', {}, body)).status).toBe(201)
  await ask('PUT', '/a', text, 'x')
  await until(async () => (await described(ask)).status).toBe('failed')
  await server.close()
  status = 200
  const next = await streams({ subscriptions: 'local-webhooks' }, log)
  await until(async () => (await described(next.ask)).streams[0].acked_offset).not.toBe('-1')
  expect((await described(next.ask)).status).toBe('active')
  expect(new Set(told.map(({ wake_id, generation }) => `${wake_id} ${generation}`)).size).toBe(1)
})

it('servers in other threads pass them on, and what they append wakes', async () => {
  const { log, server, ask } = await pulling()
  const other = await streams({ streams: server.port() }, log)
  await other.ask('PUT', '/events/a', text)
  await other.ask('POST', '/events/a', text, 'x')
  await until(() => wakesIn(ask)).toMatchObject([{ stream: 'events/a' }])
  const claimed = await claim(other.ask)
  expect(await ack(other.ask, claimed)).toMatchObject({ status: 200 })
})

it('who may subscribe is asked, who was woken proves it by his token, and elsewhere there are none', async () => {
  const { ask } = await pulling(
    {},
    { authorize: ({ action, header }) => action !== 'subscribe' || header('x-may') !== 'no' },
  )
  await ask('PUT', '/events/a', text, 'x')
  const claimed = await claim(ask)
  const denied = { 'x-may': 'no' }
  expect((await ask('POST', '/__ds/subscriptions/s/claim', denied, '{"worker":"w"}')).status).toBe(403)
  expect((await ask('GET', '/__ds/subscriptions/s', denied)).status).toBe(403)
  expect((await ask('GET', '/__ds/jwks.json', denied)).status).toBe(200)
  expect((await ack(ask, claimed)).status).toBe(200)
  const put = (body: string, id = 't') => ask('PUT', `/__ds/subscriptions/${id}`, {}, body)
  const webhook = { type: 'webhook', pattern: '*', webhook: { url: 'https://example.org/' } }
  expect((await jsonOf(await put(JSON.stringify(webhook)))).error.code).toBe('WEBHOOK_URL_REJECTED')
  const good = { type: 'pull-wake', pattern: '*', wake_stream: 'wakes' }
  for (const more of [
    { type: 'push' },
    { pattern: 1 },
    { pattern: '%' },
    { lease_ttl_ms: 1 },
    { wake_stream: undefined },
    { streams: [''] },
  ])
    expect((await put(JSON.stringify({ ...good, ...more }))).status, JSON.stringify(more)).toBe(400)
  for (const body of ['{', '[', 'null', '7']) expect((await put(body)).status).toBe(400)
  expect((await put(JSON.stringify({ ...good, pattern: 'x' }), 's')).status).toBe(409)
  expect((await ask('PUT', '/__ds/other', text)).status).toBe(404)

  const off = await streams()
  expect((await off.ask('PUT', '/__ds/subscriptions/s', {}, JSON.stringify(good))).status).toBe(404)
  expect((await off.ask('PUT', '/__ds', text)).status).toBe(404)
})
