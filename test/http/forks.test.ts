import { expect, it } from 'vitest'
import { jsonType, streams, text } from './web.js'

const from = (source: string, more: Record<string, string> = {}) => ({ 'stream-forked-from': source, ...more })

it('a chain of forks is read as one stream, each with its own end, by the next server too', async () => {
  const { ask, log, server } = await streams({ limits: { responseBytes: 5 } })
  const read = async (path: string, asked = ask) => {
    let whole = ''
    for (let offset = '-1', isWhole = false; !isWhole; ) {
      const reply = await asked('GET', `${path}?offset=${offset}`)
      whole += await reply.text()
      offset = reply.headers.get('stream-next-offset') as string
      isWhole = reply.headers.get('stream-up-to-date') === 'true'
    }
    return whole
  }
  await ask('PUT', '/a', text, 'one ')
  const second = (await ask('POST', '/a', text, 'two ')).headers.get('stream-next-offset') as string
  await ask('POST', '/a', text, 'three ')
  expect((await ask('PUT', '/b', from('/a', { 'stream-fork-offset': second }), undefined)).status).toBe(201)
  await ask('POST', '/b', text, 'b1 ')
  const inB = (await ask('POST', '/b', text, 'b2long ')).headers.get('stream-next-offset') as string
  const first = (await ask('HEAD', '/a')).headers.get('stream-next-offset') as string
  expect(inB > second && first > second).toBe(true)
  expect(
    (await ask('PUT', '/c', from('/b', { ...text, 'stream-fork-offset': second, 'stream-fork-sub-offset': '1' }), 'c'))
      .status,
  ).toBe(201)
  const expected = { '/a': 'one two three ', '/b': 'one two b1 b2long ', '/c': 'one two bc' }
  for (const [path, whole] of Object.entries(expected)) expect(await read(path), path).toBe(whole)
  expect((await ask('DELETE', '/a')).status).toBe(204)
  expect((await ask('DELETE', '/b')).status).toBe(204)
  await server.close()

  const next = await streams({ limits: { responseBytes: 5 } }, log)
  for (const path of ['/a', '/b']) expect((await next.ask('GET', path)).status).toBe(410)
  expect((await next.ask('PUT', '/a', text)).status).toBe(409)
  expect(await read('/c', next.ask)).toBe(expected['/c'])
  // The last fork takes all of the chain with it.
  expect((await next.ask('DELETE', '/c')).status).toBe(204)
  for (const path of ['/a', '/b', '/c'])
    await expect.poll(async () => (await next.ask('GET', path)).status, { timeout: 60_000 }).toBe(404)
  for (const topic of ['a', 'b', 'c']) {
    const left = async () => {
      const { first, next: end } = await log.topic(topic).bounds()
      return end - first
    }
    // Nobody finds it any more before it is trimmed.
    await expect.poll(left).toBe(0)
  }
  expect((await next.ask('PUT', '/a', text, 'new')).status).toBe(201)
  expect(await read('/a', next.ask)).toBe('new')
  expect((await next.ask('GET', `/a?offset=${second}`)).status).toBe(410)
})

it('a fork that fails to be made keeps nothing of its source', async () => {
  const { ask } = await streams()
  await ask('PUT', '/a', jsonType, '[1,2]')
  for (const headers of [
    from('/a', text),
    from('/a', { 'stream-fork-sub-offset': '1' }),
    from('/a', { 'stream-fork-offset': 'x' }),
  ])
    expect([400, 409]).toContain((await ask('PUT', '/b', headers)).status)
  expect((await ask('PUT', '/b', from('/a', jsonType), '{')).status).toBe(400)
  expect((await ask('PUT', '/b', from('/none'))).status).toBe(404)
  expect((await ask('DELETE', '/a')).status).toBe(204)
  expect((await ask('GET', '/a')).status).toBe(404)
})

it('whoever may not read a stream may not fork it', async () => {
  const { ask } = await streams({ authorize: ({ action, path }) => path !== 'secret' || action !== 'read' })
  await ask('PUT', '/secret', text, 'x')
  expect((await ask('PUT', '/b', from('/secret'))).status).toBe(403)
  expect((await ask('GET', '/b')).status).toBe(404)
})
