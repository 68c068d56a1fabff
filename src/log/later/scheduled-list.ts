/** What waits to be delivered, for whoever looks. */
import type { Engine } from '../../engine/engine.js'
import type { PendingMessage } from '../../engine/terms.js'
import { schedulesOf } from '../supported.js'
import { checkKeys, checkName } from '../validate.js'
import type { RepeatOptions } from './repeat-options.js'

/** Which scheduled messages are listed. */
export interface ScheduledOptions {
  /** Name of the topic that they will be delivered to; of all topics unless said. */
  topic?: string
}

/** All of them as an array where it is awaited, one after the other where it is iterated. */
export interface ScheduledList extends PromiseLike<ScheduledMessage[]>, AsyncIterable<ScheduledMessage> {}

/** A message that was scheduled, and neither delivered nor cancelled. It is a ticket: `topic.cancel` takes it, which ends what would come again. */
export interface ScheduledMessage {
  /** Of its ticket. */
  readonly id: string
  /** When it will be delivered, ms since the epoch. */
  readonly deliverAt: number
  /** Name of the topic that it will be delivered to. */
  readonly topic: string
  /** As it will be delivered. */
  readonly key?: Uint8Array
  /** As they will be delivered. */
  readonly headers?: Record<string, string>
  /** The bytes of its value. */
  readonly value: Uint8Array
  /** It comes again: its name and its rule, as `Queue.every` was told. */
  readonly repeat?: {
    /** Name of the repeat. */
    readonly id: string
    /** When it comes. */
    readonly rule: RepeatOptions
  }
}

export function scheduledList(engine: Engine, options: ScheduledOptions): ScheduledList {
  checkKeys('scheduled()', options, ['topic'])
  const topic = options.topic === undefined ? undefined : checkName('topic', options.topic)
  const schedules = schedulesOf(engine, 'scheduled messages')
  engine.checkOpen()
  const iterate = () => listed(schedules.pending(topic))
  return {
    [Symbol.asyncIterator]: iterate,
    // biome-ignore lint/suspicious/noThenProperty: it is awaited for an array
    then: (onList, onFailure) => collected(iterate()).then(onList, onFailure),
  }
}

async function* listed(pending: AsyncIterable<PendingMessage>): AsyncGenerator<ScheduledMessage> {
  for await (const { key, headers, repeat, ...message } of pending)
    yield {
      ...message,
      ...(key !== undefined && { key }),
      ...(headers !== undefined && { headers }),
      ...(repeat !== undefined && { repeat: { id: repeat.name, rule: repeat.rule } }),
    }
}

async function collected(messages: AsyncIterable<ScheduledMessage>): Promise<ScheduledMessage[]> {
  const all: ScheduledMessage[] = []
  for await (const message of messages) all.push(message)
  return all
}
