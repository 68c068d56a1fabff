// Compiled, never run: what a strict application writes against the published types.

import type {
  Codec,
  Handler,
  HandlerAppendOptions,
  HandlerContext,
  HandlerScheduleOptions,
  JsonMessage,
  Log,
  Message,
  MessageBatch,
  OpenOptions,
  PlainMessage,
  ProcessOrder,
  Processor,
  ProcessorState,
  Topic,
} from 'bookend'
import { BookendError, json, open, text } from 'bookend'

const options: OpenOptions = { durability: 'disk', readers: 1, io: 'auto' }
const upperCase: Codec<string> = { encode: (value) => text.encode(value.toUpperCase()), decode: text.decode }

export async function run(directory: string): Promise<number> {
  await using log: Log = await open(directory, options)
  const topic: Topic<string> = log.topic('lines', { codec: upperCase })
  const offset: number = await topic.append('hello', { key: 'k', headers: { kind: 'greeting' } })
  const message: Message<string> | undefined = await topic.get(offset)
  // @ts-expect-error a topic of strings takes no number
  await topic.append(1)
  try {
    for await (const { value } of topic.read({ from: 'first' })) console.log(value.length, message?.timestamp)
    return await topic.scan<number>(new URL('./count.js', import.meta.url))
  } catch (error) {
    if (error instanceof BookendError && error.code === 'BOOKEND_CORRUPT') return log.stats().messages
    throw error
  }
}

export function map(batch: MessageBatch): number {
  let bytes = 0
  batch.forEach((_, start, end) => {
    bytes += end - start
  })
  return bytes
}

interface Order {
  id: number
}

export async function orders(log: Log): Promise<number> {
  const topic: Topic<Order> = log.topic('orders', { codec: json<Order>() })
  // @ts-expect-error a topic of orders takes no text
  await topic.append('1')
  const plain: PlainMessage<Order> | undefined = (await topic.get(0))?.plain()
  const said: JsonMessage | undefined = (await topic.get(0))?.toJSON()
  const order: ProcessOrder = 'key'
  const processor: Processor = topic.group('g').process(new URL('./count.js', import.meta.url), { order })
  const state: ProcessorState = processor.state
  return state === 'failed' && said?.key === undefined ? 0 : (plain?.value.id ?? 0)
}

export const handle: Handler<Order> = (batch: MessageBatch<Order>, { signal, append, schedule }: HandlerContext) => {
  const options: HandlerAppendOptions = { key: 'k', codec: json<Order>() }
  for (const { value, keyText } of batch) if (!signal.aborted) console.log(value.id.toFixed(), keyText)
  for (const { value } of batch) append('copies', value, options)
  append('texts', 'done', { codec: text, headers: { a: 'b' }, durability: 'disk' })
  const later: HandlerScheduleOptions = { delayMs: 60_000 }
  schedule('texts', 'done', later)
}
