import type { AppendOptions, Delivery, Log } from 'bookend'
import { openBenchLog } from '../contenders/bookend.js'
import { type StoreOptions, valueAt } from '../contenders/contender.js'
import { type ConditionalWrites, type ConditionStore, idOf } from './condition-store.js'

/** More than are under way. */
const prefetch = 10_000
const hourMs = 3_600_000

export async function openBookendConditions(options: StoreOptions): Promise<ConditionStore> {
  const log = await openBenchLog(options)
  return {
    plain: appends(log, 'plain', () => undefined),
    expected: appends(log, 'expected', (index) => ({ expectedOffset: index })),
    named: appends(log, 'named', (index) => ({ id: idOf(index) })),
    transact: transactions(log),
    versioned: appends(log, 'versioned', (index) => ({ key: idOf(index), expectedVersion: 'none' })),
    numbered: numbered(log),
    close: () => log.close(),
  }
}

function appends(log: Log, name: string, optionsOf: (index: number) => AppendOptions | undefined): ConditionalWrites {
  const topic = log.topic(name)
  let next = 0
  return {
    write: (value) => topic.append(value, optionsOf(next++)),
    written: async () => (await topic.bounds()).next,
  }
}

/** Each by one producer, with the next of its numbers. */
function numbered(log: Log): ConditionalWrites {
  const [topic, producer] = [log.topic('numbered'), log.producer('producer')]
  let next = 0
  return { write: (value) => producer.append(topic, value, next++), written: async () => (await topic.bounds()).next }
}

/** Each takes the next delivery of a group, and is written with its acknowledgement. */
function transactions(log: Log): ConditionalWrites {
  const [input, output] = [log.topic('input'), log.topic('output')]
  const group = input.group('group')
  const deliveries = group.consume({ prefetch, ackTimeoutMs: hourMs })
  const transact = (value: Uint8Array, delivery: Delivery<Uint8Array>) =>
    log.transaction((tx) => {
      tx.append(output, value)
      tx.ack(delivery)
    })
  return {
    async prepare(count, values) {
      for (let index = 0; index < count; index++) while (!input.offer(valueAt(values, index))) await input.ready()
      await log.flush()
    },
    write: async (value) => transact(value, (await deliveries.next()).value),
    async written() {
      const { next } = await output.bounds()
      const { committed } = await group.position()
      if (committed !== next) throw new Error(`${committed} messages are acknowledged, and ${next} have come of them`)
      return next
    },
  }
}
