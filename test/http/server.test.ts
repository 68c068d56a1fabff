import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { createServer, type StreamServer } from 'bookend/http'
import { expect, it } from 'vitest'
import { EngineLog } from '../../src/log/log.js'
import { codedFailureOf, expectMistake, openLog, until } from '../scenarios/support.js'
import { MemoryEngine } from '../support/memory-engine/memory-engine.js'
import { Seeded } from '../support/seeded.js'
import { jsonType, listening, producing, streams, text } from './web.js'

it('asks who may do what before anything else, and takes anything but a clear yes for a no', async () => {
  const asked: string[] = []
  const { ask, log } = await streams({
    basePath: '/s',
    authorize: ({ action, path, topic, header }) => {
      asked.push(`${action} ${path} ${topic}`)
      const verdict = header('x-verdict')
      return verdict === undefined ? true : verdict === 'no' ? false : (Number(verdict) as number)
    },
  })
  expect((await ask('PUT', '/s/a/b', { ...text, 'x-verdict': 'no' }, 'x')).status).toBe(403)
  for (const verdict of ['401', '404'])
    expect((await ask('GET', '/s/a/b', { 'x-verdict': verdict })).status).toBe(Number(verdict))
  for (const verdict of ['200', '0', 'NaN', '500'])
    expect((await ask('POST', '/s/a/b', { ...text, 'x-verdict': verdict }, 'x')).status).toBe(403)
  expect(await log.topics()).toEqual([])
  expect((await ask('PUT', '/s/a/b', text)).status).toBe(201)
  expect((await ask('DELETE', '/s/a/b')).status).toBe(204)
  expect([...new Set(asked)]).toEqual(['create a/b a.b', 'read a/b a.b', 'append a/b a.b', 'delete a/b a.b'])
})

it('no path leads to anything but a stream, and no two paths to the same', async () => {
  const { ask, log } = await streams()
  await log.topic('own').append(new Uint8Array(1))
  for (const path of ['/own', '/_streams', '/.own', '/%5Fstreams']) expect((await ask('GET', path)).status).toBe(404)
  expect((await ask('PUT', '/own', text)).status).toBe(409)
  expect((await ask('POST', '/own', text, 'x')).status).toBe(404)
  for (const path of ['/', '/a//b', '/a/', '//a']) expect((await ask('PUT', path, text)).status).toBe(404)
  expect((await ask('PUT', '/%zz', text)).status).toBe(400)
  expect((await ask('PUT', `/${'x'.repeat(201)}`, text)).status).toBe(414)
  const paths = ['/a.b', '/a/b', '/a%2Fb', '/a_b', '/a%5F2Eb', '/_streams', '/A/b', '/%C3%A4', '/...']
  for (const path of paths) expect((await ask('PUT', path, text, path)).status, path).toBe(201)
  for (const path of paths) expect(await (await ask('GET', path)).text()).toBe(path)
  expect(new Set(await log.topics()).size).toBe(paths.length + 2)
  expect((await log.topics()).every((name) => !name.startsWith('.'))).toBe(true)
})

it('pages of other origins read what they are allowed to, and write nothing', async () => {
  const origin = 'http://other.example'
  const { ask, log, server } = await streams()
  await ask('PUT', '/a', text)
  expect((await ask('POST', '/a', { ...text, origin }, 'x')).status).toBe(403)
  expect((await ask('POST', '/a', { ...text, origin: 'null' }, 'x')).status).toBe(403)
  expect((await ask('OPTIONS', '/a', { origin })).status).toBe(405)
  const read = await ask('GET', '/a', { origin })
  expect([read.status, read.headers.get('access-control-allow-origin')]).toEqual([200, null])
  expect(read.headers.get('cross-origin-resource-policy')).toBe('same-origin')
  await server.close()
  const open = await streams({ cors: [origin] }, log)
  const preflight = await open.ask('OPTIONS', '/a', { origin, 'access-control-request-method': 'POST' })
  expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, origin])
  expect((await open.ask('POST', '/a', { ...text, origin }, 'x')).status).toBe(204)
  expect((await open.ask('POST', '/a', { ...text, origin: 'http://third.example' }, 'x')).status).toBe(403)
})

it('what is read runs nothing in a page, and what is written is taken as it is', async () => {
  const { ask } = await streams()
  const made = await ask(
    'PUT',
    '/a',
    { 'content-type': 'text/html', 'x-forwarded-proto': 'javascript', host: 'x' },
    '<b>',
  )
  expect(made.headers.get('location')).toBe('http://x/a')
  const proxied = await ask('PUT', '/b', { ...text, 'x-forwarded-proto': 'https, http', host: 'x' })
  expect(proxied.headers.get('location')).toBe('https://x/b')
  for (const method of ['GET', 'HEAD'])
    expect((await ask(method, '/a')).headers.get('content-security-policy')).toBe('sandbox')
  for (const method of ['PUT', 'POST'])
    expect((await ask(method, '/a', { ...text, 'content-encoding': 'gzip' }, 'x')).status).toBe(415)
  expect((await ask('POST', '/b', { ...text, 'content-encoding': 'identity' }, 'x')).status).toBe(204)
})

it('refuses what is too large, too much and too many, and writes nothing of it', async () => {
  const { ask, log } = await streams({ limits: { bodyBytes: 10, streams: 2, followers: 1 }, longPollMs: 60_000 })
  expect((await ask('PUT', '/a', text, 'x'.repeat(11))).status).toBe(413)
  expect(await log.topics()).toEqual([])
  await ask('PUT', '/a', text)
  await ask('PUT', '/b', text)
  const third = await ask('PUT', '/c', text)
  expect([third.status, third.headers.get('retry-after')]).toEqual([503, '60'])
  expect((await ask('POST', '/a', text, 'x'.repeat(11))).status).toBe(413)
  const waiting = ask('GET', '/a?offset=now&live=long-poll')
  await until('one waits', async () => (await ask('GET', '/b?offset=now&live=long-poll')).status === 503)
  expect((await ask('GET', '/b?offset=now&live=sse')).status).toBe(503)
  await ask('POST', '/a', text, 'x')
  expect(await (await waiting).text()).toBe('x')
  const { ask: often } = await streams({ limits: { requestsPerSecond: 1 } }, log)
  // Nothing is known of who asks: there is nobody to be slowed down.
  for (let round = 0; round < 20; round++) expect((await often('GET', '/none')).status).toBe(404)
  const behindPort = await streams({ limits: { requestsPerSecond: 0.001 } }, log)
  const { url } = await listening(behindPort.server)
  expect((await fetch(`${url}/none`)).status).toBe(404)
  const refused = await fetch(`${url}/a`)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
})

it('what is known of streams and producers is known to the next server, over deletion and anew', async () => {
  const { ask, log, server } = await streams()
  await ask('PUT', '/a', { ...jsonType, 'stream-ttl': '3600' }, '[1,2]')
  await ask('POST', '/a', { ...jsonType, ...producing('p', 3, 0) }, '{"n":3}')
  await ask('POST', '/a', { ...jsonType, 'stream-seq': 'b' }, '4')
  await ask('PUT', '/closed', text, 'first')
  await ask('POST', '/closed', { ...text, 'stream-closed': 'true', ...producing('q', 0, 0) }, ' last')
  await ask('PUT', '/gone', text, 'x')
  await ask('PUT', '/again', text, 'old')
  const old = (await ask('HEAD', '/again')).headers.get('stream-next-offset')
  expect((await ask('DELETE', '/gone')).status).toBe(204)
  await ask('DELETE', '/again')
  await ask('PUT', '/again', text, 'new')
  await server.close()
  expect((await ask('GET', '/a')).status).toBe(503)

  const next = await streams({}, log)
  const read = await next.ask('GET', '/a')
  expect([await read.text(), read.headers.get('content-type')]).toEqual(['[1,2,{"n":3},4]', 'application/json'])
  expect((await next.ask('HEAD', '/a')).headers.get('stream-ttl')).toBe('3600')
  const statuses = async (headers: Record<string, string>) =>
    (await next.ask('POST', '/a', { ...jsonType, ...headers }, '5')).status
  expect(await statuses(producing('p', 3, 0))).toBe(204)
  expect(await statuses(producing('p', 2, 0))).toBe(403)
  expect(await statuses(producing('p', 3, 2))).toBe(409)
  expect(await statuses({ 'stream-seq': 'b' })).toBe(409)
  expect(await statuses(producing('p', 3, 1))).toBe(200)
  expect(await (await next.ask('GET', '/a')).text()).toBe('[1,2,{"n":3},4,5]')
  const closed = await next.ask('GET', '/closed')
  expect([await closed.text(), closed.headers.get('stream-closed')]).toEqual(['first last', 'true'])
  expect(
    (await next.ask('POST', '/closed', { ...text, 'stream-closed': 'true', ...producing('q', 0, 0) }, 'x')).status,
  ).toBe(204)
  expect((await next.ask('POST', '/closed', text, 'x')).status).toBe(409)
  expect((await next.ask('GET', '/gone')).status).toBe(404)
  expect(await (await next.ask('GET', '/again')).text()).toBe('new')
  expect((await next.ask('GET', '/again?offset=-1')).status).toBe(200)
  expect((await next.ask('GET', `/again?offset=${'0'.repeat(16)}_${'0'.repeat(16)}`)).status).toBe(410)
  expect((await next.ask('GET', `/again?offset=${old}`)).status).toBe(410)
})

it('of one number sent many times at once one is written, and all are answered when it is', async () => {
  const { ask, log } = await streams()
  await ask('PUT', '/a', text)
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      ask('POST', '/a', { ...text, ...producing('p', 0, index % 5) }, `${index % 5}`),
    ),
  )
  const count = (...wanted: number[]) => replies.filter(({ status }) => wanted.includes(status)).length
  expect([count(200), count(204, 409)]).toEqual([5, 45])
  expect(await (await ask('GET', '/a')).text()).toBe('01234')
  expect((await log.topic('a').bounds()).next).toBe(5)
})

it('JSON stays as it was sent, and is cut into messages where its elements end', async () => {
  const { ask, log } = await streams()
  const elements = ['{"a":[1,{"b":"],\\"[,"}]}', '12345678901234567890.10', '"\\\\"', '[]', 'null', '"ä\ud83d\ude00"']
  await ask('PUT', '/a', jsonType, ` [ ${elements.join(' ,\n')} ] `)
  expect(await (await ask('GET', '/a')).text()).toBe(`[${elements.join(',')}]`)
  expect((await log.topic('a').bounds()).next).toBe(elements.length)
  expect((await ask('POST', '/a', jsonType, '{"a":1}{')).status).toBe(400)
  expect((await ask('POST', '/a', jsonType, new Uint8Array([0x22, 0xff, 0x22]))).status).toBe(400)
  expect((await log.topic('a').bounds()).next).toBe(elements.length)
})

it('close() tells who waits where to go on, and ends event streams', async () => {
  const opened = await streams({ longPollMs: 600_000, limits: { sseMs: 600_000 } })
  const { url } = await listening(opened.server)
  const { ask, server } = opened
  await ask('PUT', '/a', text, 'x')
  const poll = fetch(`${url}/a?offset=now&live=long-poll`)
  const events = await fetch(`${url}/a?offset=-1&live=sse`)
  const reader = (events.body as ReadableStream<Uint8Array>).getReader()
  const first = Buffer.from((await reader.read()).value ?? '').toString()
  expect(first).toContain('data:x\n')
  expect(first).toContain('"streamNextOffset":"0000000000000000_0000000000000001"')
  await Promise.all([server.close(), poll])
  expect([(await poll).status, (await poll).headers.get('stream-next-offset')]).toEqual([
    204,
    '0000000000000000_0000000000000001',
  ])
  for (let done = false; !done; ) done = (await reader.read()).done
  expect((await fetch(`${url}/a`)).status).toBe(503)
})

it('a response is as long as it may be, and says where to go on', async () => {
  const { ask } = await streams({ limits: { responseBytes: 1_000 } })
  await ask('PUT', '/a', text)
  for (let part = 0; part < 10; part++) await ask('POST', '/a', text, String(part).repeat(300))
  let whole = ''
  let offset = '-1'
  for (let rounds = 0; rounds < 10; rounds++) {
    const reply = await ask('GET', `/a?offset=${offset}`)
    const read = await reply.text()
    expect(read.length).toBeLessThanOrEqual(1_000)
    whole += read
    offset = reply.headers.get('stream-next-offset') as string
    const isWhole = reply.headers.get('stream-up-to-date') === 'true'
    expect(reply.headers.get('cache-control')).toBe(isWhole ? 'no-cache' : 'max-age=60, stale-while-revalidate=300')
    if (isWhole) break
  }
  expect(whole).toBe(Array.from({ length: 10 }, (_, part) => String(part).repeat(300)).join(''))
})

it('messages of any length are read once each, in parts that are as long as they may be', async () => {
  const { ask } = await streams({ limits: { responseBytes: 1_000 } })
  await ask('PUT', '/a', text)
  const lengths = [1, 1, 999, 1_000, 1_001, 1, 5_000, ...Array<number>(2_000).fill(3), 900, 1, 101, 100_000, 1]
  const expected = lengths.map((length, index) => String.fromCharCode(97 + (index % 26)).repeat(length))
  // In batches of the log, as concurrent posts make them.
  await Promise.all(expected.map((body) => ask('POST', '/a', text, body)))
  for (let pass = 0; pass < 2; pass++) {
    let whole = ''
    for (let offset = '-1', isWhole = false; !isWhole; ) {
      const reply = await ask('GET', `/a?offset=${offset}`)
      const part = await reply.text()
      expect(part.length).toBeGreaterThan(0)
      if (part.length > 1_000) expect(new Set(part).size).toBe(1)
      whole += part
      offset = reply.headers.get('stream-next-offset') as string
      isWhole = reply.headers.get('stream-up-to-date') === 'true'
    }
    expect(whole).toBe(expected.join(''))
  }
})

it('a fuzzed request is answered, or ends its connection, and nothing else', async () => {
  const opened = await streams({ limits: { bodyBytes: 1_000 }, longPollMs: 1 })
  const { port } = await listening(opened.server)
  await opened.ask('PUT', '/a', jsonType, '[1]')
  const random = new Seeded(1)
  const pick = <T>(from: readonly T[]) => from[random.below(from.length)] as T
  const junk = () => String.fromCharCode(...Array.from({ length: random.below(30) }, () => random.below(256)))
  const names = ['content-type', 'stream-ttl', 'stream-expires-at', 'stream-closed', 'stream-seq', 'producer-id']
  names.push('producer-epoch', 'producer-seq', 'stream-forked-from', 'stream-fork-offset', 'stream-fork-sub-offset')
  names.push('content-length', 'transfer-encoding', 'origin', 'if-none-match', 'expect', 'upgrade', 'host')
  const values = ['', '0', '-1', 'true', 'application/json', 'text/plain', '/a', '/b', 'chunked', '9'.repeat(30)]
  values.push('0000000000000000_0000000000000001', '2030-01-01T00:00:00Z', 'NaN', '__proto__', '100-continue')
  const paths = ['/a', '/b', '/', '*', '//', '/%', '/%00', '/..', '/a?offset=now&live=sse', '/a?offset=-1&offset=-1']
  paths.push('/a?live=long-poll&offset=now&cursor=9', '/__proto__', `/${'x'.repeat(300)}`, '/a?offset=%ff', '/_streams')
  const request = () => {
    const method = pick(['GET', 'PUT', 'POST', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'get', ''])
    const target = random.chance(0.1) ? junk() : pick(paths)
    const headers = Array.from(
      { length: random.below(6) },
      () => `${pick(names)}: ${random.chance(0.2) ? junk() : pick(values)}`,
    )
    const body = pick(['', '[1,2]', '[', '{"a":1}', junk(), 'x'.repeat(2_000), '5\r\n[1,2]\r\n0\r\n\r\n'])
    return [`${method} ${target} HTTP/1.1`, 'connection: close', ...headers, '', body].join('\r\n')
  }
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 20 }, () => {
        const text = request()
        return new Promise<void>((resolve) => {
          const socket = connect(port, '127.0.0.1', () => socket.end(Buffer.from(text, 'latin1')))
          socket.on('error', () => {}).on('close', () => resolve())
          // An event stream ends with its client only.
          socket.on('data', (bytes) => {
            if (String(bytes).includes('event-stream')) socket.destroy()
          })
        })
      }),
    )
  }
  expect([200, 404, 410]).toContain((await opened.ask('GET', '/a')).status)
  expect((await opened.ask('PUT', '/still-there', text)).status).toBe(201)
})

it('requests that are none end their connection and nothing else', async () => {
  const opened = await streams({ limits: { bodyBytes: 100 } })
  const { port, url } = await listening(opened.server)
  await opened.ask('PUT', '/a', text)
  const raw = (lines: string) =>
    new Promise<string>((resolve) => {
      let answer = ''
      const socket = connect(port, '127.0.0.1', () => socket.end(lines))
      socket.on('data', (bytes) => {
        answer += bytes
      })
      socket.on('error', () => {}).on('close', () => resolve(answer))
    })
  const host = 'host: x\r\nconnection: close\r\n'
  expect(await raw(`GET * HTTP/1.1\r\n${host}\r\n`)).toMatch(/^HTTP\/1.1 400/)
  expect(await raw(`GET /a?offset=%ff HTTP/1.1\r\n${host}\r\n`)).toMatch(/^HTTP\/1.1 400/)
  expect(await raw(`BREW /a HTTP/1.1\r\n${host}\r\n`)).toMatch(/^HTTP\/1.1 40/)
  expect(await raw(`POST /a HTTP/1.1\r\n${host}content-type: text/plain\r\ncontent-length: 1000\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 413/,
  )
  const chunked = `POST /a HTTP/1.1\r\n${host}content-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n`
  expect(await raw(`${chunked}c8\r\n${'x'.repeat(200)}\r\n`)).toMatch(/^HTTP\/1.1 413/)
  expect(await raw(`GET /b/../a HTTP/1.1\r\n${host}\r\n`)).toMatch(/^HTTP\/1.1 200/)
  await raw(`POST /a HTTP/1.1\r\n${host}content-type: text/plain\r\ncontent-length: 50\r\n\r\nhalf`)
  await raw(`${chunked}zz\r\n`)
  // One that goes while it waits.
  const gone = httpRequest(`${url}/a?offset=now&live=sse`, (response) => response.destroy()).end()
  await new Promise((resolve) => gone.on('close', resolve))
  expect(await (await fetch(`${url}/a`)).text()).toBe('')
})

it('whoever sends too much is told so, and not cut off while he sends', async () => {
  const { server, ask } = await streams({ limits: { bodyBytes: 10 } })
  await ask('PUT', '/a', text)
  const { port } = await listening(server)
  const socket = connect(port, '127.0.0.1')
  const answers: string[] = []
  socket.on('data', (bytes) => answers.push(String(bytes)))
  const long = 'x'.repeat(1_000_000)
  const head = 'POST /a HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n'
  for (const [framing, body] of [
    ['content-length: 1000000', long],
    ['transfer-encoding: chunked', `f4240\r\n${long}\r\n0\r\n\r\n`],
    ['content-length: 1', 'x'],
  ]) {
    socket.write(`${head}${framing}\r\n\r\n`)
    socket.write(body)
  }
  const statuses = () => answers.join('').match(/HTTP\/1.1 \d+/g)
  await until('all are answered', () => statuses()?.length === 3)
  expect(statuses()?.map((line) => line.slice(-3))).toEqual(['413', '413', '204'])
  socket.destroy()
})

it('a body that the application has read before is none, and nothing waits for it', async () => {
  const { server, ask } = await streams()
  await ask('PUT', '/a', text)
  const readBefore: StreamServer['handler'] = (request, response) =>
    request.resume().once('end', () => server.handler(request, response))
  const { url } = await listening({ handler: readBefore })
  expect((await fetch(`${url}/a`, { method: 'POST', headers: text, body: 'x' })).status).toBe(400)
})

it('options that are none, and logs that cannot, are refused', async () => {
  const log = await openLog()
  for (const options of [{ port: 1 }, { authorize: 'me' }, { cors: 1 }, { limits: { bytes: 1 } }, { basePath: 1 }])
    await expectMistake(() => createServer(log, options as never), TypeError)
  for (const options of [{ basePath: 'a' }, { basePath: '/a/' }, { longPollMs: -1 }, { limits: { bodyBytes: 0 } }])
    await expectMistake(() => createServer(log, options), RangeError)
  const memory = new EngineLog(new MemoryEngine())
  expect((await codedFailureOf(() => createServer(memory))).code).toBe('BOOKEND_UNSUPPORTED')
})
