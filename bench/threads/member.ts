/** A thread of a crew: gets in, says that it is there, and works off one order after the other. */
import { setTimeout as pause } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { json, type Log } from 'bookend'
import { benchTopic } from '../contenders/bookend.js'
import { Unavailable, valueAt } from '../contenders/contender.js'
import { monotonicUs } from '../due-time.js'
import { makeValues } from '../values.js'
import { type Done, type Enlistment, type Order, phases, phaseWord, type Report, settledWord } from './orders.js'
import { type EnteredStore, enter } from './shared-store.js'

const { contender, pass, words } = workerData as Enlistment
/** Looked at so often by who floods. */
const offersPerLook = 64
/** Enough deliveries that an acknowledgement under way does not hold the group up. */
const prefetch = 1000
/** Between two lone appends: whoever serves the thread has gone to others meanwhile. */
const alonePauseMs = 1

function logOf({ log }: EnteredStore): Log {
  if (log === undefined) throw new Unavailable('it only appends')
  return log
}

async function appendJson(log: Log, messages: number): Promise<Done> {
  const topic = log.topic(benchTopic, { codec: json<object>() })
  for (let index = 0; index < messages; index++) {
    const order = { id: index, customer: `customer-${index % 1000}`, lines: [{ article: 'A-17', count: index % 7 }] }
    while (!topic.offer(order)) await topic.ready()
  }
  await log.flush('process')
  return { messages }
}

async function flood(log: Log, messageBytes: number): Promise<Done> {
  const topic = log.topic(benchTopic)
  const values = makeValues(messageBytes)
  let messages = 0
  for (;;) {
    const phase = Atomics.load(words, phaseWord)
    if (phase === phases.over) break
    for (let index = 0; index < offersPerLook; index++) {
      while (!topic.offer(valueAt(values, index))) await topic.ready()
    }
    if (phase === phases.counted) messages += offersPerLook
  }
  await log.flush('process')
  return { messages }
}

async function appendAlone(log: Log, messages: number, messageBytes: number): Promise<Done> {
  const topic = log.topic(benchTopic)
  const values = makeValues(messageBytes)
  const us: number[] = []
  for (let index = 0; index < messages; index++) {
    await pause(alonePauseMs)
    const start = monotonicUs()
    await topic.append(valueAt(values, index))
    us.push(monotonicUs() - start)
  }
  return { messages, us }
}

async function read(log: Log): Promise<Done> {
  const topic = log.topic(benchTopic)
  let messages = 0
  let bytes = 0
  for await (const batch of topic.read({ to: (await topic.bounds()).next }).batches()) {
    messages += batch.length
    for (const message of batch) bytes += message.value.length
  }
  if (bytes === 0) throw new Error('nothing was read')
  return { messages }
}

async function consume(log: Log, group: string, messages: number): Promise<Done> {
  const over = new AbortController()
  // Who acknowledges the last message ends it for all.
  const { value: isOver } = Atomics.waitAsync(words, phaseWord, phases.begun)
  void Promise.resolve(isOver).then(() => over.abort())
  const deliveries = log.topic(benchTopic).group(group).consume({ from: 'first', prefetch, signal: over.signal })
  let settled = 0
  let last: Promise<void> | undefined
  try {
    for await (const delivery of deliveries) {
      if (delivery.value.length === 0) throw new Error('an empty message was delivered')
      last = delivery.ack()
      settled += 1
      if (Atomics.add(words, settledWord, 1) + 1 < messages) continue
      Atomics.store(words, phaseWord, phases.over)
      Atomics.notify(words, phaseWord)
      break
    }
  } catch (error) {
    if (error !== over.signal.reason) throw error
  }
  await last
  return { messages: settled }
}

async function work(store: EnteredStore, order: Order): Promise<Done> {
  switch (order.work) {
    case 'append':
      await store.append(order.messages, makeValues(order.messageBytes))
      return { messages: order.messages }
    case 'append-json':
      return appendJson(logOf(store), order.messages)
    case 'flood':
      return flood(logOf(store), order.messageBytes)
    case 'append-alone':
      return appendAlone(logOf(store), order.messages, order.messageBytes)
    case 'read':
      return read(logOf(store))
    case 'make-group':
      await logOf(store).topic(benchTopic).group(order.group).seek('first')
      return { messages: 0 }
    case 'consume':
      return consume(logOf(store), order.group, order.messages)
    case 'leave':
      await store.close()
      return { messages: 0 }
  }
}

/** One at a time: the next order comes when this one is reported. */
async function tell(doing: Promise<Done>): Promise<void> {
  const report: Report = await doing.catch((error: unknown) => ({
    failure: error instanceof Error ? (error.stack ?? error.message) : String(error),
  }))
  parentPort!.postMessage(report)
}

const entering = enter(contender, pass)
parentPort!.on('message', async (order: Order) => {
  await tell(entering.then((store) => work(store, order)))
  if (order.work === 'leave') parentPort!.close()
})
await tell(entering.then(() => ({ messages: 0 })))
