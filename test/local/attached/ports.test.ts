/** Ways into a log: each is good for one connection, and whoever uses it otherwise is told. */
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type LogPort, text } from 'bookend'
import { expect, it, onTestFinished } from 'vitest'
import { codedFailureOf, expectMistake, openLog, small, temporaryFolder, until } from '../../scenarios/support.js'
import { AttachedThread } from '../../support/attached-thread.js'
import { OwnerThread } from '../../support/owner-thread.js'

async function connected(port: LogPort) {
  const log = await connect(port)
  onTestFinished(() => log.close())
  return log
}

it('a log is one log in all its threads', async () => {
  const log = await openLog()
  const topic = log.topic('t', { codec: text })
  const [first, second] = [
    await AttachedThread.connected(await log.port()),
    await AttachedThread.connected(await log.port()),
  ]
  await topic.append('by the owner')
  expect(await first.do('append', { topic: 't', value: 'by the first' })).toBe(1)
  expect(await second.do('append', { topic: 't', value: 'by the second' })).toBe(2)
  expect(await first.do('get', { topic: 't', offset: 2 })).toBe('by the second')
  expect(await second.do('get', { topic: 't', offset: 0 })).toBe('by the owner')
  expect((await topic.get(1))?.value).toBe('by the first')
  expect(await first.do('append', { topic: 'new', value: 'of a topic that nobody else knows' })).toBe(0)
  expect((await log.topic('new', { codec: text }).get(0))?.value).toContain('nobody else')
  expect(await log.topics()).toEqual(['new', 't'])
})

it('closing a connected log detaches its thread alone', async () => {
  const log = await openLog()
  const thread = await AttachedThread.connected(await log.port())
  await thread.do('append', { topic: 't', value: 'a' })
  await thread.do('close')
  await expect(thread.do('append', { topic: 't', value: 'b' })).rejects.toMatchObject({ code: 'BOOKEND_CLOSED' })
  expect(await log.topic('t', { codec: text }).append('c')).toBe(1)
})

it('the thread that opened a log can connect to it as well', async () => {
  const log = await openLog()
  const same = await connected(await log.port())
  expect(await same.topic('t', { codec: text }).append('a')).toBe(0)
  expect((await log.topic('t', { codec: text }).get(0))?.value).toBe('a')
})

it('a connected log hands out ports as well, and a thread may have ports of several logs', async () => {
  const owner = await OwnerThread.start(temporaryFolder(), small)
  onTestFinished(() => owner.close())
  const log = await connected(owner.port)
  const thread = await AttachedThread.connected(await log.port())
  expect(await thread.do('append', { topic: 't', value: 'a' })).toBe(0)
  expect((await log.topic('t', { codec: text }).get(0))?.value).toBe('a')
  const other = await openLog()
  const port = await other.port()
  await thread.do('connect', { port }, port.ports)
  expect(await thread.do('append', { topic: 'u', value: 'b' })).toBe(0)
  expect(await other.topics()).toEqual(['u'])
  expect(await log.topics()).toEqual(['t'])
})

it('a port that is connected twice is a mistake that says so', async () => {
  const log = await openLog()
  const port = await log.port()
  await connected(port)
  await expectMistake(() => connect(port), TypeError)
  await expect(connect(port)).rejects.toThrow('was connected already')
})

it('a port that was passed on is of no use where it came from', async () => {
  const log = await openLog()
  const port = await log.port()
  const thread = new AttachedThread(port)
  await expectMistake(() => connect(port), TypeError)
  await expect(connect(port)).rejects.toThrow('passed on')
  await thread.do('connect')
  await expectMistake(() => connect(port), TypeError)
  await expect(connect(port)).rejects.toThrow('was connected already')
})

it('what is no port is a mistake that says what is', async () => {
  await expectMistake(() => connect(undefined as never), TypeError)
  await expectMistake(() => connect({ ports: [] }), TypeError)
  await expectMistake(() => connect({ ports: [new MessageChannel().port1] } as never), TypeError)
  const log = await openLog()
  await expectMistake(() => connect({ ...{ bookend: 0 }, ports: [] } as never), TypeError)
  const port = await log.port()
  await expectMistake(() => connect(port, { reads: 'there' as never }), RangeError)
  await expectMistake(() => connect(port, { read: 'here' } as never), TypeError)
  await connected(port)
})

it('a port of a log that has closed says so', async () => {
  const log = await openLog()
  const port = await log.port()
  await log.close()
  expect((await codedFailureOf(() => connect(port))).code).toBe('BOOKEND_CLOSED')
  expect((await codedFailureOf(() => log.port())).code).toBe('BOOKEND_CLOSED')
})

it('a thread that ends without using its port is an error of the log', async () => {
  const log = await openLog()
  const thread = new AttachedThread(await log.port())
  await thread.do('passOn').catch(() => {})
  expect(log.stats().errors.count).toBe(0)
  await thread.worker.terminate()
  await until('it is told', () => log.stats().errors.count === 1)
  expect(log.stats().errors.last).toBe('BOOKEND_WORKER')
})

it('a log closes although ports were never used', async () => {
  const log = await openLog()
  await log.port()
  await AttachedThread.connected(await log.port())
  await log.port()
  await log.close()
  await pause(0)
})
