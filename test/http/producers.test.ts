/** What is known of producers has a bound, and holds exactly for those that are inside it. */
import type { Log } from 'bookend'
import { expect, it } from 'vitest'
import { answerChange } from '../../src/http/change-request.js'
import { asHttpError } from '../../src/http/error-replies.js'
import { requestOf } from '../../src/http/fetch-adapter.js'
import { Followers } from '../../src/http/followers.js'
import { completeOptions } from '../../src/http/options.js'
import { StreamRegistry } from '../../src/http/stream-registry.js'
import { openLog } from '../scenarios/support.js'
import { producing, streams, text } from './web.js'

const dayMs = 86_400_000

/** What keeps streams, with a clock that is set. */
function keeper(log: Log, maxProducers: number) {
  const opened = Date.now()
  let days = 0
  const clocks = { now: () => opened + days * dayMs, nowMs: () => performance.now() }
  const { limits } = completeOptions({ limits: { producers: maxProducers } })
  const registry = new StreamRegistry(log, clocks)
  const parts = { registry, followers: new Followers(), limits, clocks, subscriptions: undefined }
  const change = async (method: string, headers: Record<string, string>, body?: string) => {
    const asked = new Request('http://streams/s', { method, headers, ...(body !== undefined && { body }) })
    const request = requestOf(asked, new AbortController().signal)
    return answerChange(parts, { topic: 's', source: undefined, request }).catch(asHttpError)
  }
  return {
    make: () => change('PUT', text),
    post: (id: string, epoch: number, seq: number) =>
      change('POST', { ...text, ...producing(id, epoch, seq) }, `${id}${epoch}${seq} `),
    goOn: (by: number) => {
      days += by
    },
  }
}

async function contentOf(log: Log): Promise<string> {
  let content = ''
  for await (const { value } of log.topic('s').read()) content += Buffer.from(value).toString()
  return content
}

it('producers that are inside the bound lose and double nothing, and a new one beyond is refused', async () => {
  const log = await openLog()
  const { make, post } = keeper(log, 3)
  await make()
  const ids = ['a', 'b', 'c']
  for (const id of ids) expect((await post(id, 0, 0)).status).toBe(200)
  const refused = await post('d', 0, 0)
  expect([refused.status, refused.headers['retry-after']]).toEqual([429, '3600'])
  for (const id of ids) expect((await post(id, 0, 0)).status).toBe(204)
  for (const id of ids) expect((await post(id, 0, 1)).status).toBe(200)
  expect((await post('b', 1, 0)).status).toBe(200)
  expect((await post('b', 0, 2)).status).toBe(403)
  expect(await contentOf(log)).toBe('a00 b00 c00 a01 b01 c01 b10 ')
})

it('who has not written for a week goes for a new one, the one that has not for longest, and for the next server too', async () => {
  const log = await openLog()
  const first = keeper(log, 3)
  await first.make()
  for (const id of ['a', 'b', 'c']) await first.post(id, 0, 0)
  first.goOn(3)
  await first.post('a', 0, 1)
  first.goOn(3.9)
  expect((await first.post('d', 0, 0)).status).toBe(429)
  first.goOn(0.2)
  expect((await first.post('d', 0, 0)).status).toBe(200)
  // Of `b` nothing is known: it is told to begin anew, and nothing that it sends again is written.
  const gone = await first.post('b', 0, 1)
  expect([gone.status, gone.headers['producer-expected-seq']]).toEqual([409, '0'])
  for (const [id, seq] of [
    ['a', 1],
    ['a', 0],
    ['c', 0],
    ['d', 0],
  ] as const)
    expect((await first.post(id, 0, seq)).status).toBe(204)
  expect(await contentOf(log)).toBe('a00 b00 c00 a01 d00 ')

  const next = keeper(log, 3)
  for (const [id, seq] of [
    ['a', 1],
    ['c', 0],
    ['d', 0],
  ] as const)
    expect((await next.post(id, 0, seq)).status).toBe(204)
  expect((await next.post('e', 0, 0)).status).toBe(429)
  // By the time of the records all of them wrote now, `c` first.
  next.goOn(7.1)
  expect((await next.post('e', 0, 0)).status).toBe(200)
  expect((await next.post('c', 0, 1)).status).toBe(409)
  expect((await next.post('a', 0, 2)).status).toBe(200)
  expect(await contentOf(log)).toBe('a00 b00 c00 a01 d00 e00 a02 ')
})

it('what is written anew of a stream says who wrote when, and what was written before that is read too', async () => {
  const log = await openLog()
  const at = Date.now() - 8 * dayMs
  const place = { epoch: 0, seq: 0 }
  const producers = [
    ['old', { ...place, at }],
    ['unsaid', place],
  ]
  const state = { contentType: 'text/plain', first: 0, producers }
  await log.topic('_streams').append(Buffer.from(JSON.stringify({ state })), { key: 's' })
  const { post } = keeper(log, 2)
  for (const id of ['unsaid', 'old']) expect((await post(id, 0, 0)).status).toBe(204)
  expect((await post('new', 0, 0)).status).toBe(200)
  expect((await post('old', 0, 1)).status).toBe(409)
  expect((await post('newer', 0, 0)).status).toBe(429)
  expect((await post('unsaid', 0, 1)).status).toBe(200)
})

it('what is kept of a request has a length', async () => {
  const { ask } = await streams({ limits: { producers: 2 } })
  const most = 'x'.repeat(256)
  for (const name of ['content-type', 'stream-expires-at'])
    expect((await ask('PUT', '/a', { [name]: `${most}x` })).status, name).toBe(400)
  expect((await ask('PUT', '/a', text)).status).toBe(201)
  expect((await ask('POST', '/a', { ...text, ...producing(`${most}x`, 0, 0) }, '0')).status).toBe(400)
  expect((await ask('POST', '/a', { ...text, 'stream-seq': `${most}x` }, '0')).status).toBe(400)
  expect((await ask('POST', '/a', { ...text, ...producing(most, 0, 0), 'stream-seq': most }, '1')).status).toBe(200)
  expect(await (await ask('GET', '/a')).text()).toBe('1')
})
