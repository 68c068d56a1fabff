/**
 * Three servers of the same streams, of which one keeps what is known of them, in one thread; each stream is closed, or deleted and made anew, in the middle of appends by all. Must: of what was
 * acknowledged nothing is lost, nothing stands behind the end, and a stream that is made anew has nothing of the one before.
 *
 * Mutants it catches: a stream that ends while others hold copies of it, copies that are given back while appends by them are under way, copies that nobody knows of.
 */
import path from 'node:path'
import { createServer, type StreamServer } from '../../../src/http/server.js'
import { connect, open } from '../../../src/log/log.js'
import type { Seeded } from '../../support/seeded.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from '../fault.js'

const rounds = 300
const mostFailures = 10
const headers = { 'content-type': 'text/plain' }

export const httpEnds: Fault = {
  name: 'http-ends',
  isRoot: false,
  weight: 3,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('streams that end in the middle of appends by three servers')
    Object.assign(row, { acknowledged: 0, lost: 0, wrong: 0 })
    const log = await open(path.join(context.scratch, 'log'))
    const keeper = createServer(log)
    // Each with a ring of its own: nothing but the protocol between them keeps their order.
    const others = [await connect(await log.port()), await connect(await log.port())]
    const servers = [keeper, ...others.map((other) => createServer(other, { streams: keeper.port() }))]
    for (let round = 0; context.more(round, rounds) && row.failures.length < mostFailures; round++) {
      row.runs += 1
      await endOnce(servers, `/s${round % 20}`, context.random(round), row).catch((error) =>
        row.failures.push(`round ${round}: ${messageOf(error)}`),
      )
    }
    for (const server of servers.toReversed()) await server.close()
    for (const other of others) await other.close()
    await log.close()
    return [row]
  },
}

async function endOnce(servers: readonly StreamServer[], name: string, random: Seeded, row: Row): Promise<void> {
  const ask = (server: number, method: string, body?: string, more: Record<string, string> = {}) =>
    servers[server].fetch(
      new Request(`http://streams${name}`, {
        method,
        headers: { ...headers, ...more },
        ...(body !== undefined && { body }),
      }),
    )
  const any = () => random.below(servers.length)
  await ask(any(), 'DELETE')
  const made = await ask(any(), 'PUT')
  if (made.status !== 201) throw new Error(`the stream was not made anew: ${made.status}`)
  const isDeleted = random.chance(0.4)
  let isEnding = false
  let isOver = false
  /** By those who appended until the end: of what was acknowledged. */
  const appenders = Array.from({ length: 6 }, async (_, appender) => {
    let count = 0
    for (;;) {
      const wasOver = isOver
      const { status } = await ask(appender % servers.length, 'POST', '.')
      if (status === 409 || status === 404) return count
      if (status !== 204) throw new Error(`an append was answered with ${status}`)
      if (wasOver) throw new Error('an append was taken behind the end')
      count += 1
      if (count > 500 && isOver) throw new Error('appends go on behind the end')
      if (!isEnding && random.chance(0.05)) {
        isEnding = true
        ended = end()
      }
    }
  })
  let ended: Promise<void> = Promise.resolve()
  const end = async () => {
    const { status } = isDeleted
      ? await ask(any(), 'DELETE')
      : await ask(any(), 'POST', '|', { 'stream-closed': 'true' })
    if (status !== 204) throw new Error(`the end was answered with ${status}`)
    isOver = true
    if (isDeleted) {
      // The appends that are on their way have been answered, or are for nobody.
      await Promise.all(appenders)
      await ask(any(), 'PUT')
    }
  }
  const acknowledged = (await Promise.all(appenders)).reduce((sum, count) => sum + count)
  await ended
  row.acknowledged = (row.acknowledged ?? 0) + acknowledged
  const expected = isDeleted ? '' : `${'.'.repeat(acknowledged)}|`
  for (let server = 0; server < servers.length; server++) {
    const text = await (await ask(server, 'GET')).text()
    if (text === expected) continue
    if (text.length < expected.length) row.lost = (row.lost ?? 0) + expected.length - text.length
    throw new Error(`server ${server} has ${text.length} bytes, ${expected.length} expected`)
  }
}
