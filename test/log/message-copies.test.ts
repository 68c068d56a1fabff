/** What becomes of messages that are copied, logged, posted and written down. */
import { inspect } from 'node:util'
import { MessageChannel } from 'node:worker_threads'
import { type Codec, json, type Message, text } from 'bookend'
import { expect, it } from 'vitest'
import { codedFailureOf, openLog } from '../scenarios/support.js'

interface Order {
  id: number
}

async function oneMessage<T>(codec: Codec<T> | undefined, value: T): Promise<Message<T>> {
  const log = await openLog()
  const topic = log.topic('t', { codec })
  await topic.append(value, { key: 'schlüssel', headers: { kind: 'order' } })
  return (await topic.get(0)) as Message<T>
}

it('plain() is a copy with everything in it, which can be cloned, posted and spread', async () => {
  const message = await oneMessage(json<Order>(), { id: 7 })
  const { timestamp } = message
  const key = new TextEncoder().encode('schlüssel')
  const everything = { topic: 't', offset: 0, timestamp, key, headers: { kind: 'order' }, value: { id: 7 } }
  const plain = message.plain()
  expect(plain).toEqual(everything)
  expect(structuredClone(plain)).toEqual(everything)
  expect({ ...plain }).toEqual(everything)
  const { port1, port2 } = new MessageChannel()
  const received = new Promise((resolve) => port2.once('message', resolve))
  port1.postMessage(plain)
  expect(await received).toEqual(everything)
  port1.close()
})

it('plain() takes nothing of the chunk along, and no key and headers where there are none', async () => {
  const log = await openLog()
  const topic = log.topic('t')
  await topic.appendMany(Array.from({ length: 100 }, () => new Uint8Array([1, 2, 3])))
  for await (const message of topic.read()) {
    const plain = message.plain()
    expect(Object.keys(plain)).toEqual(['topic', 'offset', 'timestamp', 'value'])
    expect(plain.value).toEqual(new Uint8Array([1, 2, 3]))
    expect(plain.value.buffer.byteLength).toBe(3)
    expect(message.keyText).toBeUndefined()
  }
})

it('JSON.stringify says everything: decoded values as they are, bytes as text or in base64', async () => {
  const decoded = await oneMessage(json<Order>(), { id: 7 })
  const { timestamp } = decoded
  const said = { topic: 't', offset: 0, timestamp, key: 'schlüssel', headers: { kind: 'order' } }
  expect(JSON.parse(JSON.stringify(decoded))).toEqual({ ...said, value: { id: 7 } })
  expect(decoded.keyText).toBe('schlüssel')
  const asText = await oneMessage(undefined, new TextEncoder().encode('grün'))
  expect(JSON.parse(JSON.stringify(asText))).toEqual({ ...said, timestamp: asText.timestamp, value: 'grün' })
  const asBytes = await oneMessage(undefined, new Uint8Array([0xff, 0]))
  expect(JSON.parse(JSON.stringify(asBytes))).toEqual({
    ...{ ...said, timestamp: asBytes.timestamp },
    ...{ value: '/wA=', encoding: 'base64' },
  })
})

it('json<T>() is json itself, which still encodes and decodes', () => {
  expect(json<Order>()).toBe(json)
  expect(json.decode(json.encode({ id: 1 }))).toEqual({ id: 1 })
})

it('a value that the codec cannot decode is a typed error with its place, and stays in its queue', async () => {
  const log = await openLog()
  await log.topic('q').append(new TextEncoder().encode('{"id": '))
  const message = await log.topic('q', { codec: json }).get(0)
  const queue = log.queue('q', { codec: json })
  const calls = [() => message?.value, () => message?.plain(), () => queue.peek(), () => queue.pop()]
  for (const call of [...calls, () => queue.browse().next()]) {
    const error = await codedFailureOf(call)
    expect(error).toMatchObject({ code: 'BOOKEND_DECODE', topic: 'q', offset: 0 })
    expect(error.cause).toBeInstanceOf(SyntaxError)
  }
  // Logging it shows the rest.
  expect(inspect(message)).toContain('BOOKEND_DECODE')
  expect(await log.queue('q', { codec: text }).pop()).toBe('{"id": ')
})
