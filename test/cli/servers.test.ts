import { text } from 'bookend'
import { expect, it } from 'vitest'
import { withServers } from '../jetstream/fixture.js'
import { bookend, closedLog } from './command.js'
import { feed, parsed } from './talk.js'

// One replica is said with each opening, on standard error.
const env = { NODE_NO_WARNINGS: '1' }

withServers({}, ({ servers, newName, open }) => {
  /** A log on servers, by the name under which the command finds it. */
  async function place(name = newName()): Promise<string> {
    return `${(await servers()).urls[0]}/${name}?replicas=1`
  }

  it('what is appended on servers is listed, found, printed and followed there', async () => {
    const log = await place()
    const lines = '{"id":"a"}\n{"id":"b"}\n{"id":"c"}\n'
    expect(await feed(lines, 'append', log, 'orders', '--key-from', 'id')).toMatchObject({ status: 0 })
    expect((await bookend(['topics', log, '--quiet'], env)).out).toBe('orders\n')
    const tailed = await bookend(['tail', log, 'orders', '--last', '2'], env)
    expect(parsed(tailed.out)).toMatchObject([
      { offset: 1, key: 'b' },
      { offset: 2, key: 'c', value: '{"id":"c"}' },
    ])
    expect((await bookend(['get', log, 'orders', '0', '--format', 'raw'], env)).out).toBe('{"id":"a"}')
    expect((await bookend(['get', log, 'orders', '3'], env)).status).toBe(1)
    expect((await bookend(['grep', log, '"b"', '--count'], env)).out).toBe('1\n')
    const following = await bookend(['tail', log, 'orders', '--from', '1', '--to', '2', '--follow'], env)
    expect(parsed(following.out)).toMatchObject([{ offset: 1 }])
  })

  it('groups on servers are listed, and tail begins where one stands', async () => {
    const name = newName()
    const at = await place(name)
    const log = await open({ name })
    const orders = log.topic('orders', { codec: text })
    await orders.appendMany(['one', 'two', 'three'])
    for await (const delivery of orders.group('billing').consume()) {
      await delivery.ack()
      if (delivery.offset === 1) break
    }
    await expect
      .poll(async () => JSON.parse((await bookend(['groups', at, '--json'], env)).out).groups, { timeout: 120_000 })
      .toMatchObject([{ topic: 'orders', group: 'billing', of: 'log', committed: 2, next: 3, lag: 1 }])
    const left = await bookend(['tail', at, 'orders', '--group', 'billing'], env)
    expect(parsed(left.out)).toMatchObject([{ offset: 2, value: 'three' }])
    expect((await bookend(['groups', at, '--remove', 'billing'], env)).status).toBe(2)
  })

  it('export from a directory is import on servers, and back', async () => {
    const there = await place()
    const exported = await bookend(['export', await closedLog()], env)
    expect(await feed(exported.out, 'import', there)).toMatchObject({ status: 0 })
    const back = await bookend(['export', there], env)
    const withoutTimes = (lines: string) => parsed(lines).map(({ timestamp: _timestamp, ...rest }) => rest)
    expect(withoutTimes(back.out)).toEqual(withoutTimes(exported.out))
  })
})

it('a URL that says too little, or a verb that needs files, is a wrong command line', async () => {
  for (const args of [
    ['topics', 'nats://127.0.0.1:4222'],
    ['topics', 'http://127.0.0.1/orders'],
    ['stat', 'nats://127.0.0.1:4222/orders'],
  ])
    expect(await bookend(args)).toMatchObject({ status: 2, out: '' })
})

it('servers that are not there are said within seconds', async () => {
  const { status, errors } = await bookend(['topics', 'nats://127.0.0.1:9/orders'])
  expect(status).toBe(1)
  expect(errors).toContain('BOOKEND_DISCONNECTED')
})
