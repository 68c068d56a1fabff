/**
 * Three nodes under `kill -9` of one at random, of the leader, of all three, and SIGSTOP of the leader, while many producers append and a group
 * consumes. Must: nothing acknowledged lost, doubled, moved or torn; order of each producer's calls; offsets dense; the group sees everything, and what was
 * acknowledged to its consumer does not come again.
 */
import { type Log, text } from 'bookend'
import { open } from 'bookend/jetstream'
import { type Node, Servers } from '../../support/nats/servers.js'
import type { Seeded } from '../../support/seeded.js'
import { type Context, type Fault, messageOf, type Row } from '../fault.js'
import { comesTrue, withRow } from './world.js'

const producers = 16
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

interface Told {
  /** By value: the offset that was acknowledged. */
  readonly acked: Map<string, number>
  readonly wholes: string[][]
  readonly seen: Set<number>
  readonly done: Set<number>
  doneAgain: number
  failedAppends: number
  slowestMs: number
}

export const jetStreamFailover: Fault = {
  name: 'jetstream-failover',
  isRoot: false,
  needsServers: true,
  weight: 90,
  run: (context: Context): Promise<Row[]> =>
    withRow('nodes killed and stopped, JetStream, three replicas', context, async (row, defer) => {
      const random = context.random(42)
      const servers = await Servers.start({ nodes: 3, sync: 'always' })
      defer(() => servers.stop())
      const log = await open(servers.urls, { name: 'failover', replicas: 3, ackWaitMs: 3_000 })
      defer(() => log.close())
      const topic = log.topic('events', { codec: text })
      await topic.append('begin')
      const told: Told = {
        acked: new Map(),
        wholes: [],
        seen: new Set(),
        done: new Set(),
        doneAgain: 0,
        failedAppends: 0,
        slowestMs: 0,
      }
      const enough = new AbortController()
      const producing = Array.from({ length: producers }, (_, who) => produce(log, who, random, told, enough.signal))
      const consumed = new AbortController()
      const consuming = consume(log, told, consumed.signal)
      const kinds = new Map<string, number>()
      for (; context.more(row.runs, 12); row.runs++) {
        await pause(1_000 + random.below(1_500))
        const kind = random.pick(['any', 'leader', 'leader', 'all', 'stop'])
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
        await harm(servers, kind, random)
      }
      await pause(1_000)
      enough.abort()
      await Promise.all(producing)
      const { next } = await topic.bounds()
      const group = topic.group('billing')
      if (!(await comesTrue(async () => (await group.position()).lag === 0, 60_000)))
        row.failures.push(`the group has not seen everything: ${JSON.stringify(await group.position())}`)
      consumed.abort()
      await consuming
      await judge(row, log, next, told)
      const { connection } = log.stats()
      row.recoveryMs.push(told.slowestMs)
      row.note = `${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}; ${told.failedAppends} appends failed, ${connection?.found} found written, ${connection?.retries} retries; ${told.doneAgain} came again`
    }),
}

async function harm(servers: Servers, kind: string, random: Seeded): Promise<void> {
  const one = random.pick(servers.nodes)
  const leader = kind === 'leader' || kind === 'stop' ? ((await leaderOf(servers)) ?? one) : one
  if (kind === 'stop') {
    leader.signal('SIGSTOP')
    await pause(1_000 + random.below(5_000))
    leader.signal('SIGCONT')
    return
  }
  const victims = kind === 'all' ? servers.nodes : [leader]
  await Promise.all(victims.map((node) => node.kill()))
  await pause(300 + random.below(1_200))
  for (const node of victims) await node.start()
  for (const node of victims) await node.untilHealthy()
}

/** Of the topic's stream, by what a node says. */
async function leaderOf(servers: Servers): Promise<Node | undefined> {
  for (const { monitor } of servers.nodes) {
    const answer = await fetch(`${monitor}/jsz?streams=true&accounts=true`).catch(() => undefined)
    if (answer === undefined || !answer.ok) continue
    const found = /"name":\s*"failover\+events"[\s\S]*?"leader":\s*"(n\d)"/.exec(await answer.text())
    if (found !== null) return servers.node(found[1])
  }
  return undefined
}

async function produce(log: Log, who: number, random: Seeded, told: Told, signal: AbortSignal): Promise<void> {
  const topic = log.topic('events', { codec: text })
  for (let number = 0; !signal.aborted; ) {
    await pause(30)
    const startMs = performance.now()
    const isMany = random.chance(0.2)
    const values = Array.from({ length: isMany ? 1 + random.below(50) : 1 }, () => `${who} ${number++}`)
    try {
      const first = isMany ? (await topic.appendMany(values)).first : await topic.append(values[0])
      for (const [index, value] of values.entries()) told.acked.set(value, first + index)
      if (isMany) told.wholes.push(values)
    } catch {
      told.failedAppends += 1
    }
    told.slowestMs = Math.max(told.slowestMs, performance.now() - startMs)
  }
}

async function consume(log: Log, told: Told, signal: AbortSignal): Promise<void> {
  const group = log.topic('events', { codec: text }).group('billing')
  while (!signal.aborted) {
    try {
      for await (const delivery of group.consume({ prefetch: 200, signal })) {
        const { offset } = delivery
        if (told.done.has(offset)) told.doneAgain += 1
        told.seen.add(offset)
        delivery.ack().then(
          () => told.done.add(offset),
          () => {},
        )
      }
    } catch (error) {
      if (!signal.aborted) process.stderr.write(`  consumer: ${messageOf(error)}\n`)
    }
  }
}

async function judge(row: Row, log: Log, next: number, told: Told): Promise<void> {
  const stored = new Map<string, number>()
  const last = new Map<string, number>()
  let expected = 0
  let disorder = 0
  row.duplicates = 0
  for await (const { offset, value } of log.topic('events', { codec: text }).read({ to: next })) {
    if (offset !== expected++) row.failures.push(`offset ${offset} stands where ${expected - 1} was expected`)
    if (value === 'begin') continue
    if (stored.has(value)) row.duplicates += 1
    stored.set(value, offset)
    const [who, number] = value.split(' ')
    if ((last.get(who) ?? -1) > Number(number)) disorder += 1
    last.set(who, Number(number))
  }
  const torn = told.wholes.filter((values) =>
    values.some((value, index) => stored.get(value) !== (stored.get(values[0]) ?? -1) + index),
  )
  row.acknowledged = told.acked.size
  row.lost = [...told.acked.keys()].filter((value) => !stored.has(value)).length
  row.wrong = [...told.acked].filter(([value, offset]) => stored.has(value) && stored.get(value) !== offset).length
  if (disorder > 0) row.failures.push(`${disorder} messages stand before an earlier one of their producer`)
  if (torn.length > 0) row.failures.push(`${torn.length} calls of appendMany are torn`)
  if (told.doneAgain > 0) row.failures.push(`${told.doneAgain} messages came again whose acknowledgement had resolved`)
  const unseen = [...stored.values()].filter((offset) => !told.seen.has(offset)).length
  if (unseen > 0) row.failures.push(`the group has not seen ${unseen} messages`)
}
