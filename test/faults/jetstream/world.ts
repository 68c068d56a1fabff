/** What the faults of JetStream share. */
import { type Log, type Message, text } from 'bookend'
import type { Node, Servers } from '../../support/nats/servers.js'
import { type Context, emptyRow, messageOf, type Row } from '../fault.js'

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

export async function valuesOf(log: Log, topic: string): Promise<string[]> {
  const values: string[] = []
  for await (const message of log.topic(topic, { codec: text }).read() as AsyncIterable<Message<string>>)
    values.push(message.value)
  return values
}

/** Runs a fault that ends its servers, whatever becomes of it. */
export async function withRow(
  what: string,
  context: Context,
  run: (row: Row & { recoveryMs: number[] }, defer: (end: () => Promise<unknown>) => void) => Promise<void>,
): Promise<Row[]> {
  const row = emptyRow(what)
  const ends: (() => Promise<unknown>)[] = []
  try {
    await run(row, (end) => ends.push(end))
  } catch (error) {
    if ((error as Error).constructor.name === 'FirstFailure') throw error
    row.failures.push(messageOf(error))
  } finally {
    for (const end of ends.reverse()) await end().catch((error) => context.say(messageOf(error)))
  }
  return [row]
}

/** Waits for a condition; false: it did not come to be in time. */
export async function comesTrue(condition: () => Promise<boolean> | boolean, limitMs: number): Promise<boolean> {
  const untilMs = performance.now() + limitMs
  while (performance.now() < untilMs) {
    if (await Promise.resolve(condition()).catch(() => false)) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

/** What is there against what was sent, message by message. */
export function compareValues(row: Row, what: string, found: readonly string[], sent: readonly string[]): void {
  const seen = new Set(found)
  row.duplicates = (row.duplicates ?? 0) + found.length - seen.size
  row.lost = (row.lost ?? 0) + sent.filter((value) => !seen.has(value)).length
  row.wrong = (row.wrong ?? 0) + found.filter((value, index) => value !== sent[index]).length
  if (found.length !== sent.length)
    row.failures.push(`${what} has ${found.length} messages, and ${sent.length} were appended`)
}

/** Of a stream, by what a node says that answers. */
export async function leaderOf(servers: Servers, stream: string): Promise<Node | undefined> {
  for (const node of servers.nodes) {
    const [, said = ''] = (await sayOf(node, 'jsz?streams=true&accounts=true')).split(`"name": "${stream}"`)
    const leader = /"leader":\s*"(n\d)"/.exec(said)?.[1]
    if (leader !== undefined) return servers.node(leader)
  }
  return undefined
}

/** The first that a client is connected to. */
export async function nodeWithClients(servers: Servers): Promise<Node | undefined> {
  for (const node of servers.nodes) if (/"num_connections":\s*[1-9]/.test(await sayOf(node, 'connz'))) return node
  return undefined
}

/** What the monitor of a node answers; nothing, where it does not. */
async function sayOf({ monitor }: Node, path: string): Promise<string> {
  const answer = await fetch(`${monitor}/${path}`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
  return answer?.ok ? answer.text().catch(() => '') : ''
}
