import { open, text } from 'bookend'
import { createServer } from 'bookend/http'
import { expect, it, onTestFinished } from 'vitest'
import type {
  DeadLetterPage,
  MessagePage,
  Picture,
  Refusal,
  StreamRow,
  VerifyResult,
  WholeMessage,
} from '../../../src/cli/inspect/api.js'
import { range } from '../../support/words.js'
import { closedLog, small, temporaryFolder } from '../command.js'
import { inspector } from './inspector.js'

async function liveLog() {
  const directory = temporaryFolder()
  const owner = await open(directory, small)
  onTestFinished(() => owner.close())
  return { directory, owner, topic: owner.topic('orders', { codec: text }) }
}

const offsets = ({ messages }: MessagePage) => messages.map(({ offset }) => offset)

it('shows a log that its owner goes on with, as it is now', async () => {
  const { directory, topic } = await liveLog()
  await topic.appendMany(['a', 'b', 'c'])
  const { get } = await inspector(directory)
  const first = (await get<Picture>('picture')).body
  expect(first).toMatchObject({ directory, isWritable: false, owner: { state: 'running', pid: process.pid } })
  expect(first.topics).toEqual([{ name: 'orders', first: 0, next: 3 }])
  expect(first.strip.at(0)).toMatchObject({ kind: 'segment', state: 'active', mappings: { write: 1 } })
  await topic.append('d')
  await topic.group('billing').seek(1)
  await topic.append('e')
  let next = first
  while (next.topics[0].next < 5 || next.groups.length < 1) next = (await get<Picture>('picture')).body
  expect(next.groups).toEqual([{ topic: 'orders', group: 'billing', of: 'log', committed: 1, next: 5, lag: 4 }])
  expect(next.published).toBeGreaterThan(first.published)
})

it('shows what topics are over HTTP, as their server knows them', async () => {
  const { directory, owner } = await liveLog()
  const { get } = await inspector(directory)
  const rows = async () => (await get<StreamRow[]>('streams')).body
  expect(await rows()).toEqual([])
  const server = createServer(owner)
  const ask = (method: string, path: string, headers: Record<string, string>, body: string) =>
    server.fetch(
      new Request(`http://streams/${path}`, { method, headers: { 'content-type': 'text/plain', ...headers }, body }),
    )
  await ask('PUT', 'a/b', { 'stream-ttl': '60' }, 'x')
  const written = { 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': '0', 'stream-closed': 'true' }
  const tail = (await ask('POST', 'a/b', written, 'y')).headers.get('stream-next-offset')
  let found = await rows()
  // The inspector follows, and hears of it a moment later.
  while (found[0]?.closed !== true) found = await rows()
  expect(found).toEqual([
    { topic: 'a.b', contentType: 'text/plain', ttlSeconds: 60, closed: true, deleted: false, producers: 1, tail },
  ])
  await server.close()
})

it('finds messages by place, key, header and text, a page at a time', async () => {
  const { directory, topic } = await liveLog()
  for (const index of range(0, 30))
    await topic.append(`value ${index}`, {
      key: `k${index % 3}`,
      headers: { kind: index % 5 === 0 ? 'five' : 'other' },
    })
  const { get } = await inspector(directory)
  const page = async (parameters: Record<string, string>) =>
    (await get<MessagePage>('messages', { topic: 'orders', ...parameters })).body
  const first = await page({ limit: '4' })
  expect([offsets(first), first.goOnAt, first.next]).toEqual([[0, 1, 2, 3], 4, 30])
  expect(offsets(await page({ from: '28' }))).toEqual([28, 29])
  expect(offsets(await page({ key: 'k1', header: 'kind=five' }))).toEqual([10, 25])
  const found = await page({ text: 'VALUE 29' })
  expect(found.messages).toEqual([
    expect.objectContaining({ offset: 29, key: 'k2', headers: { kind: 'other' }, value: 'value 29', valueBytes: 8 }),
  ])
  expect([found.searched, found.goOnAt]).toEqual([30, undefined])
  expect(offsets(await page({ from: 'next' }))).toEqual([])
})

it('shows a whole message, bytes as bytes, and nothing of it that could hide or reorder the rest', async () => {
  const { directory, owner } = await liveLog()
  const topic = owner.topic('strange')
  await topic.append(Buffer.from('\u202egnp.exe \u0007'), { key: Buffer.from([0xff]) })
  await topic.append(new Uint8Array([0, 255]))
  await topic.append(Buffer.from(`${'x'.repeat(399)}é and more`))
  const { get, origin, token } = await inspector(directory)
  const { body } = await get<MessagePage>('messages', { topic: 'strange' })
  expect(body.messages.map(({ value }) => value)).toEqual(['\\u202egnp.exe \\u0007', '\\x00\\xff', 'x'.repeat(399)])
  expect(body.messages[0].key).toBe('\\xff')
  const whole = async (offset: number) =>
    (await get<WholeMessage>('message', { topic: 'strange', offset: String(offset) })).body
  expect(await whole(1)).toMatchObject({ value: 'AP8=', encoding: 'base64', valueBytes: 2, isCut: false })
  expect((await whole(2)).value).toBe(`${'x'.repeat(399)}é and more`)
  const raw = await fetch(`${origin}/api/value?topic=strange&offset=1&token=${token}`)
  expect(raw.headers.get('content-disposition')).toBe('attachment; filename="strange-1"')
  expect([...new Uint8Array(await raw.arrayBuffer())]).toEqual([0, 255])
})

it('says what is wrong with a question', async () => {
  const { get, post } = await inspector(await closedLog(), '--write')
  const refused = async (asked: Promise<{ status: number; body: unknown }>) => {
    const { status, body } = await asked
    return [status, (body as Refusal).error]
  }
  expect(await refused(get('messages'))).toEqual([400, 'the parameter topic is missing'])
  expect((await refused(get('messages', { topic: 'none' })))[0]).toBe(404)
  expect((await refused(get('messages', { topic: 'orders', from: 'soon' })))[0]).toBe(400)
  expect((await refused(get('messages', { topic: 'orders', limit: '0' })))[0]).toBe(400)
  expect((await refused(get('messages', { topic: 'orders', header: 'nothing' })))[0]).toBe(400)
  expect((await refused(get('message', { topic: 'orders', offset: '-1' })))[0]).toBe(400)
  expect((await refused(get('message', { topic: 'orders', offset: '250' })))[0]).toBe(404)
  expect((await refused(post('trim', { topic: 'orders', before: '251' })))[0]).toBe(400)
  expect((await refused(post('trim', { topic: 'orders' })))[0]).toBe(400)
  expect((await refused(post('seek', { topic: 'orders', group: '../x', to: '1' })))[0]).toBe(400)
  expect((await refused(post('seek', [])))[0]).toBe(400)
  expect((await refused(post('toString', {})))[0]).toBe(404)
})

it('changes nothing unless it was started to, and then not under an owner', async () => {
  const { directory, owner, topic } = await liveLog()
  await topic.appendMany(['a', 'b', 'c'])
  const looking = await inspector(directory)
  expect((await looking.post('trim', { topic: 'orders', before: '1' })).status).toBe(403)
  const { get, post } = await inspector(directory, '--write')
  const locked = await post<Refusal>('trim', { topic: 'orders', before: '1' })
  expect([locked.status, locked.body.code]).toEqual([409, 'BOOKEND_LOCKED'])
  expect(locked.body.error).toContain(String(process.pid))
  await owner.close()
  expect((await post('seek', { topic: 'orders', group: 'g', to: '2' })).body).toEqual({ committed: 2, lag: 1 })
  expect((await post('trim', { topic: 'orders', before: '1' })).body).toEqual({ removed: 1 })
  let bounds = (await get<Picture>('picture')).body.topics[0]
  while (bounds.first !== 1) bounds = (await get<Picture>('picture')).body.topics[0]
  expect(bounds).toEqual({ name: 'orders', first: 1, next: 3 })
})

it('lists dead letters, brings them back and discards them', async () => {
  const { directory, owner, topic } = await liveLog()
  await topic.appendMany(['a', 'b'])
  const module = new URL('data:text/javascript,export default () => { throw new Error("cannot") }')
  const processor = topic.group('billing').process(module, { retries: 0, deadLetter: 'failed' })
  await processor.idle()
  await processor.stop()
  await owner.close()
  const { get, post } = await inspector(directory, '--write')
  expect((await get('dead-letter-topics')).body).toEqual(['failed'])
  const { letters, isCut } = (await get<DeadLetterPage>('dead-letters', { topic: 'failed' })).body
  expect(isCut).toBe(false)
  expect(letters).toMatchObject([
    { offset: 0, topic: 'orders', from: 0, group: 'billing', error: 'Error: cannot' },
    { offset: 1, topic: 'orders', from: 1 },
  ])
  expect((await post('redrive', { topic: 'failed', offset: '1' })).body).toEqual({ redriven: 1, unreadable: 0 })
  expect((await get<DeadLetterPage>('dead-letters', { topic: 'failed' })).body.letters).toMatchObject([{ offset: 0 }])
  expect((await post('redrive', { topic: 'failed' })).body).toEqual({ redriven: 1, unreadable: 0 })
  expect((await post('discard', { topic: 'failed' })).body).toEqual({ discarded: 0 })
  await using log = await open(directory, { ...small, readOnly: true })
  expect(await log.topic('orders').bounds()).toEqual({ first: 0, next: 4 })
})

it('verifies, telling how far it is, and ends where nobody listens any more', async () => {
  const { origin, token } = await inspector(await closedLog())
  const events = await (await fetch(`${origin}/api/verify?token=${token}`)).text()
  const told = [...events.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, event, data]) => ({
    event,
    data: JSON.parse(data),
  }))
  expect(told.at(-1)?.event).toBe('result')
  expect(told.at(-1)?.data as VerifyResult).toMatchObject({ messages: 275, damages: [] })
  const progress = told.filter(({ event }) => event === 'progress')
  expect(progress.length).toBeGreaterThan(1)
  expect(progress.at(-1)?.data.done).toBe(progress[0].data.total)
  const left = new AbortController()
  const half = await fetch(`${origin}/api/verify?token=${token}`, { signal: left.signal })
  await half.body?.getReader().read()
  left.abort()
  expect((await fetch(`${origin}/api/picture?token=${token}`)).status).toBe(200)
})
