/** Responses that are longer than what the log gives at once. */
import { expect, it } from 'vitest'
import { jsonType, listening, streams, text } from './web.js'

const part = (index: number) => String.fromCharCode(97 + index).repeat(100_000)
const parts = Array.from({ length: 20 }, (_, index) => part(index))

it('what is there is one response, whatever it is of, for two who read at once too', async () => {
  const opened = await streams()
  const { ask } = opened
  const numbers = Array.from({ length: 60_000 }, (_, index) => index)
  await ask('PUT', '/numbers', jsonType)
  for (let at = 0; at < numbers.length; at += 10_000)
    await ask('POST', '/numbers', jsonType, JSON.stringify(numbers.slice(at, at + 10_000)))
  await ask('PUT', '/letters', text)
  for (const each of parts) await ask('POST', '/letters', text, each)
  const { url } = await listening(opened.server)
  const read = async (path: string) => {
    const reply = await fetch(`${url}${path}`)
    return [reply.headers.get('stream-up-to-date'), await reply.text()]
  }
  // Nothing is known of its messages yet.
  expect((await read('/numbers'))[1]).toBe(JSON.stringify(numbers))
  const [letters, again, array] = await Promise.all([read('/letters'), read('/letters'), read('/numbers')])
  expect(letters).toEqual(['true', parts.join('')])
  expect(again).toEqual(letters)
  expect(array).toEqual(['true', JSON.stringify(numbers)])
  // Who follows gets parts of so many messages.
  const followed: number[] = []
  for (let offset = '-1'; followed.length < numbers.length; ) {
    const reply = await ask('GET', `/numbers?offset=${offset}&live=long-poll`)
    const part = (await reply.json()) as number[]
    expect([part.length > 0, part.length <= 32_768]).toEqual([true, true])
    followed.push(...part)
    offset = reply.headers.get('stream-next-offset') as string
  }
  expect(followed).toEqual(numbers)
})

it('forks of long streams are read on behind them, and JSON is one array', async () => {
  const { ask } = await streams()
  await ask('PUT', '/a', jsonType)
  for (const each of parts) await ask('POST', '/a', jsonType, JSON.stringify([each]))
  await ask('PUT', '/b', { 'stream-forked-from': '/a' })
  await ask('POST', '/b', jsonType, '"own"')
  expect(await (await ask('GET', '/b')).json()).toEqual([...parts, 'own'])
})

it('a response that cannot be read to its end fails, and does not just end', async () => {
  const { ask } = await streams()
  await ask('PUT', '/a', text)
  for (let round = 0; round < 4; round++) for (const each of parts) await ask('POST', '/a', text, each)
  const reader = (await ask('GET', '/a')).body?.getReader()
  expect((await reader?.read())?.done).toBe(false)
  expect((await ask('DELETE', '/a')).status).toBe(204)
  const toEnd = async () => {
    while ((await reader?.read())?.done === false);
  }
  await expect(toEnd()).rejects.toMatchObject({ code: 'BOOKEND_TRIMMED' })
})

it('says how long a response is, where it comes in one piece', async () => {
  const opened = await streams()
  const { ask } = opened
  await ask('PUT', '/a', text)
  await ask('POST', '/a', text, 'content')
  const { url } = await listening(opened.server)
  const lengthOf = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const reply = await fetch(`${url}${path}`, { method, headers })
    return [reply.status, reply.headers.get('content-length'), reply.headers.get('transfer-encoding')]
  }
  expect(await lengthOf('GET', '/a')).toEqual([200, '7', null])
  expect(await lengthOf('GET', '/a?offset=now')).toEqual([200, '0', null])
  expect(await lengthOf('HEAD', '/a')).toEqual([200, null, null])
  expect(await lengthOf('PUT', '/b', text)).toEqual([201, '0', null])
  expect(await lengthOf('POST', '/a', text)).toEqual([400, '26', null])
  expect(await lengthOf('DELETE', '/b')).toEqual([204, null, null])
})

it('whoever goes in the middle, or has it already, is sent no more', async () => {
  const opened = await streams()
  const { ask } = opened
  await ask('PUT', '/a', text)
  for (const each of parts) await ask('POST', '/a', text, each)
  const { url } = await listening(opened.server)
  const whole = await fetch(`${url}/a`)
  const etag = whole.headers.get('etag') as string
  await whole.body?.cancel()
  const known = await fetch(`${url}/a`, { headers: { 'if-none-match': etag } })
  expect([known.status, await known.text()]).toEqual([304, ''])
  await ask('POST', '/a', text, 'more')
  expect((await fetch(`${url}/a`, { headers: { 'if-none-match': etag } })).status).toBe(200)
})
