/**
 * `kill -9` of `bookend serve` under workers of two subscriptions, one that is claimed and one by webhook, some of which die over their work. Must: what was answered as acknowledged is not given
 * again, what nobody has acknowledged is not taken for done, a generation is that of one wake and of one worker, and in the end everything has been given.
 *
 * Mutants it catches: cursors that are not written, wakes and leases that the next server does not go on with, generations that are given twice, webhooks that acknowledge what they were not told.
 */
import path from 'node:path'
import type { Seeded } from '../../support/seeded.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from '../fault.js'
import { pause } from '../writer-process.js'
import { ServedLog } from './served-log.js'
import { PullWorkers, type SubscriptionWorkers, WebhookWorkers } from './subscription-workers.js'
import { type Answer, untilAnswered } from './until-answered.js'

const names = Array.from({ length: 6 }, (_, index) => `events/${index}`)
const producerCount = 3
const kills = 8
/** Acknowledged by each subscription since the server was there again, before it is killed next. */
const leastAcknowledged = 10
/** Leases end, and what has failed is tried again, after a second: of who is not further after so long it is not believed any more. */
const stuckMs = 60_000
const type = { 'content-type': 'application/json' }

export const httpSubscriptions: Fault = {
  name: 'http-subscriptions',
  isRoot: false,
  weight: 5,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('kill -9 of the HTTP server, workers of subscriptions')
    Object.assign(row, { acknowledged: 0, lost: 0, duplicates: 0, wrong: 0 })
    const random = context.random(1)
    const server = new ServedLog(path.join(context.scratch, 'log'), ['--subscriptions', 'local-webhooks'])
    await server.start()
    const { url } = server
    const end = new AbortController()
    const starts = new Map<string, string>()
    for (const name of ['wakes', ...names]) {
      const { headers } = await expected(201, `${url}/${name}`, { method: 'PUT', headers: type })
      starts.set(name, headers.get('stream-next-offset') as string)
    }
    const parts = { url, random, starts, end: end.signal }
    const all = [new PullWorkers({ ...parts, id: 'claimed' }), new WebhookWorkers({ ...parts, id: 'told' })]
    const producing = new AbortController()
    let producers: Promise<void>[] = []
    try {
      for (const each of all) {
        const body = JSON.stringify({ ...(await each.begin()), pattern: 'events/*', lease_ttl_ms: 1_000 })
        await expected(201, `${url}/__ds/subscriptions/${each.id}`, { method: 'PUT', body })
      }
      producers = Array.from({ length: producerCount }, () => produce(url, random, producing.signal, end.signal))
      // Told where they are awaited.
      for (const each of producers) each.catch(() => {})
      for (let cycle = 0; context.more(cycle, kills); cycle++) {
        row.runs += 1
        await Promise.all(
          all.map((each) => {
            const enough = each.acknowledgements + leastAcknowledged
            return until(each, async () => each.acknowledgements >= enough)
          }),
        )
        await pause(random.below(100))
        await server.kill()
        row.recoveryMs.push(await server.start())
      }
      producing.abort()
      await Promise.all(producers)
      for (const each of all) await until(each, () => isDone(url, each.id))
    } catch (error) {
      row.failures.push(messageOf(error))
    } finally {
      producing.abort()
      end.abort()
      await Promise.allSettled([...producers, ...all.map((each) => each.end())])
      await server.kill()
    }
    const sum = (of: (each: SubscriptionWorkers) => number) => all.reduce((total, each) => total + of(each), 0)
    row.acknowledged = sum(({ acknowledgements }) => acknowledgements)
    row.lost = sum(({ lost }) => lost)
    row.duplicates = sum(({ givenAgain }) => givenAgain)
    row.wrong = sum(({ generationsGivenTwice }) => generationsGivenTwice)
    row.note = `${sum(({ fenced }) => fenced)} reports came when another worker had been woken`
    if (row.lost > 0) row.failures.push(`${row.lost} cursors lie behind what anybody has said to be done`)
    if (row.duplicates > 0) row.failures.push(`${row.duplicates} cursors lie before what was answered as done`)
    if (row.wrong > 0) row.failures.push(`${row.wrong} generations were given twice`)
    row.failures.push(...all.flatMap(({ problems }) => problems))
    return [row]
  },
}

async function expected(status: number, url: string, request: RequestInit, end?: AbortSignal): Promise<Answer> {
  const answer = await untilAnswered(url, request, end)
  if (answer.status !== status) throw new Error(`${request.method} was answered with ${answer.status}: ${answer.text}`)
  return answer
}

/** @throws where there is a problem, or nothing has been acknowledged for too long */
async function until(workers: SubscriptionWorkers, isSo: () => Promise<boolean>): Promise<void> {
  let [seen, sinceMs] = [workers.acknowledgements, performance.now()]
  while (!(await isSo())) {
    if (workers.problems.length > 0) throw new Error(`subscription ${workers.id} has failed`)
    if (workers.acknowledgements > seen) [seen, sinceMs] = [workers.acknowledgements, performance.now()]
    if (performance.now() - sinceMs > stuckMs)
      throw new Error(`subscription ${workers.id} is told nothing any more: ${seen} reports were acknowledged`)
    await pause(20)
  }
}

/** All of its streams are done as far as they go. */
async function isDone(url: string, id: string): Promise<boolean> {
  const { text } = await untilAnswered(`${url}/__ds/subscriptions/${id}`, {})
  const streams: { path: string; acked_offset: string }[] = JSON.parse(text).streams
  if (streams.length < names.length) return false
  for (const { path, acked_offset } of streams) {
    const { headers } = await untilAnswered(`${url}/${path}`, { method: 'HEAD' })
    if (headers.get('stream-next-offset') !== acked_offset) return false
  }
  return true
}

async function produce(url: string, random: Seeded, enough: AbortSignal, end: AbortSignal): Promise<void> {
  while (!enough.aborted) {
    const name = names[random.below(names.length)]
    await expected(204, `${url}/${name}`, { method: 'POST', headers: type, body: '{}' }, end)
    await pause(random.below(30))
  }
}
