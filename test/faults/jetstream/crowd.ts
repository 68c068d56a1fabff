/**
 * Producers, a consumer and a processor on one topic of a cluster, in an application that can be killed and is there again, and what it has said in
 * all its lives, held against what the log has. Must: nothing acknowledged lost, doubled, moved or torn; order of each producer's calls;
 * offsets dense; both groups see everything, the processor in order; what cannot be handled is a dead letter, once; what was acknowledged
 * does not come again to who has acknowledged it.
 */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Log, text } from 'bookend'
import { open } from 'bookend/jetstream'
import type { Servers } from '../../support/nats/servers.js'
import { HandlerRecord } from '../../support/recording-handler.js'
import type { Row } from '../fault.js'
import { root } from '../writer-process.js'
import { Application } from './application.js'
import { comesTrue } from './world.js'

const name = 'failover'
const drainMs = 180_000

export class Crowd {
  readonly #servers: Servers
  readonly #record: HandlerRecord
  #application: Application
  #life = 0
  #isDrained = false
  /** By value: the offset that was acknowledged. */
  readonly #acked = new Map<string, number>()
  readonly #wholes: string[][] = []
  readonly #seen = new Set<number>()
  /** In which life. */
  readonly #done = new Map<number, number>()
  #cameAgain = 0
  #cameToAnother = 0
  #retries = 0
  #firstFailure = ''
  failedAppends = 0
  slowestMs = 0

  /** @param folder on this machine, for what its handlers write */
  constructor(servers: Servers, folder: string) {
    this.#servers = servers
    this.#record = new HandlerRecord(folder)
    this.#application = this.#start()
  }

  #start(): Application {
    const handlers = pathToFileURL(path.join(root, 'test/fixtures/handler-records.mjs'))
    handlers.searchParams.set('file', this.#record.file)
    const life = ++this.#life
    const args = [this.#servers.urls.join(','), name, String(life), handlers.href]
    return new Application('jetstream-app.mjs', args, (line) => this.#hear(life, line))
  }

  /** By which its stream is known to the servers. */
  get stream(): string {
    return `${name}+events`
  }

  /** Resolves when it has appended something. */
  async untilAtWork(): Promise<void> {
    const { size } = this.#acked
    if (!(await comesTrue(() => this.#acked.size > size, drainMs)))
      throw new Error('the application does not get to work')
  }

  /** `kill -9`, and there again at once. */
  async kill(): Promise<void> {
    await this.#application.kill()
    this.#application = this.#start()
  }

  /** Ends the producers, lets both groups come to the end of the topic, and holds everything against each other. */
  async judge(row: Row): Promise<void> {
    this.#application.terminate()
    if (!(await comesTrue(() => this.#isDrained, drainMs)))
      row.failures.push(`the groups have not seen everything ${drainMs / 1_000} s after the last append`)
    await this.end()
    const log = await open(this.#servers.urls, { name, replicas: 3 })
    try {
      const stored = await this.#judgeTopic(row, log)
      this.#judgeGroup(row, stored)
      await this.#judgeProcessor(row, stored, log)
    } finally {
      await log.close()
    }
    if (this.failedAppends > 0) process.stderr.write(`  first of the appends that failed: ${this.#firstFailure}\n`)
    const lives = this.#life === 1 ? '' : `${this.#cameToAnother} to a later life of the application, `
    row.note = `${this.failedAppends} appends failed, ${this.#retries} retries; came again: ${lives}${this.#cameAgain} to the same`
  }

  async end(): Promise<void> {
    await this.#application.kill()
  }

  #hear(life: number, line: string): void {
    const [what, first, second] = line.split(' ', 3)
    const offset = Number(first)
    switch (what) {
      case 'acked': {
        const values = line.slice(`${what} ${first} ${second} `.length).split(',')
        for (const [index, value] of values.entries()) this.#acked.set(value, offset + index)
        if (values.length > 1) this.#wholes.push(values)
        this.slowestMs = Math.max(this.slowestMs, Number(second))
        break
      }
      case 'failed':
        // Those that waited behind it fail with it.
        if (this.failedAppends++ === 0) this.#firstFailure = line
        break
      case 'seen': {
        const doneIn = this.#done.get(offset)
        if (doneIn === life) this.#cameAgain += 1
        else if (doneIn !== undefined) this.#cameToAnother += 1
        this.#seen.add(offset)
        break
      }
      case 'done':
        this.#done.set(offset, life)
        break
      case 'drained':
        this.#retries = offset
        this.#isDrained = true
        break
      case 'error':
        process.stderr.write(`  ${line}\n`)
    }
  }

  async #judgeTopic(row: Row, log: Log): Promise<Map<string, number>> {
    const topic = log.topic('events', { codec: text })
    const { next } = await topic.bounds()
    const stored = new Map<string, number>()
    const last = new Map<string, number>()
    let expected = 0
    let disorder = 0
    row.duplicates = 0
    for await (const { offset, value } of topic.read({ to: next })) {
      if (offset !== expected++) row.failures.push(`offset ${offset} stands where ${expected - 1} was expected`)
      if (stored.has(value)) row.duplicates += 1
      stored.set(value, offset)
      const [, who, number] = value.split(' ')
      if ((last.get(who) ?? -1) > Number(number)) disorder += 1
      last.set(who, Number(number))
    }
    if (expected !== next) row.failures.push(`${expected} of ${next} messages are there`)
    const torn = this.#wholes.filter((values) =>
      values.some((value, index) => stored.get(value) !== (stored.get(values[0]) ?? -1) + index),
    )
    row.acknowledged = this.#acked.size
    row.lost = [...this.#acked.keys()].filter((value) => !stored.has(value)).length
    row.wrong = [...this.#acked].filter(([value, offset]) => stored.has(value) && stored.get(value) !== offset).length
    if (disorder > 0) row.failures.push(`${disorder} messages stand before an earlier one of their producer`)
    if (torn.length > 0) row.failures.push(`${torn.length} calls of appendMany are torn`)
    return stored
  }

  #judgeGroup(row: Row, stored: ReadonlyMap<string, number>): void {
    if (this.#cameAgain > 0)
      row.failures.push(`${this.#cameAgain} messages came again whose acknowledgement had resolved`)
    const unseen = [...stored.values()].filter((offset) => !this.#seen.has(offset)).length
    if (unseen > 0) row.failures.push(`the group has not seen ${unseen} messages`)
  }

  async #judgeProcessor(row: Row, stored: ReadonlyMap<string, number>, log: Log): Promise<void> {
    const handled = [...new Set(this.#record.offsets())]
    const overtaken = handled.filter((offset, index) => index > 0 && offset < handled[index - 1]).length
    if (overtaken > 0) row.failures.push(`${overtaken} messages were handled behind a later one`)
    const letters = new Map<number, number>()
    for await (const { headers } of log.topic('dead').read()) {
      const offset = Number(headers?.['bookend-offset'])
      letters.set(offset, (letters.get(offset) ?? 0) + 1)
    }
    row.duplicates = (row.duplicates ?? 0) + [...letters.values()].filter((count) => count > 1).length
    const seen = new Set(handled)
    const missed = [...stored].filter(([value, offset]) => !(value.startsWith('throw') ? letters : seen).has(offset))
    if (missed.length > 0)
      row.failures.push(`the processor has not handled ${missed.length} messages: ${missed.slice(0, 8).join('; ')}`)
  }
}
