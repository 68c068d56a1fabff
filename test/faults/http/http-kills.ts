/**
 * `kill -9` of `bookend serve` under 100 producers and 100 followers, of the protocol's own client, which go on by themselves when it is there again. Must: of what was acknowledged nothing
 * is lost or there twice, and every follower, whatever it saw when, has seen all of its stream once, in its order.
 *
 * Mutants it catches: messages of producers without their number.
 */
import path from 'node:path'
import type { Seeded } from '../../support/seeded.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from '../fault.js'
import { pause } from '../writer-process.js'
import { backoff, loadClient, type StreamHandle } from './client.js'
import { ServedLog } from './served-log.js'

const streamCount = 10
const producersPerStream = 10
const followersPerStream = 10
const kills = 8
/** Acknowledged since the server was there again, before it is killed next. */
const leastAcknowledged = 100
const mostFailures = 10
/** For what comes last in a stream of a few kilobytes, on a machine that does much else. */
const mostReadingMs = 10_000

const { DurableStream, IdempotentProducer, createFetchWithBackoff, stream } = loadClient()

export const httpKills: Fault = {
  name: 'http-kills',
  isRoot: false,
  weight: 20,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('kill -9 of the HTTP server, two threads')
    Object.assign(row, { acknowledged: 0, lost: 0, duplicates: 0, wrong: 0 })
    const random = context.random(1)
    const server = new ServedLog(path.join(context.scratch, 'log'), ['--threads', '2'])
    await server.start()
    const end = new AbortController()
    const streams = await Promise.all(
      Array.from({ length: streamCount }, async (_, index) => {
        const url = `${server.url}/streams/${index}`
        return new KilledStream(
          await DurableStream.create({ url, contentType: 'application/json' }),
          end.signal,
          random,
        )
      }),
    )
    const acknowledged = () => streams.reduce((sum, { acknowledged }) => sum + acknowledged, 0)
    for (let cycle = 0; context.more(cycle, kills) && row.failures.length < mostFailures; cycle++) {
      row.runs += 1
      const before = acknowledged()
      while (acknowledged() < before + leastAcknowledged && row.failures.length === 0) {
        await pause(10)
        row.failures.push(...streams.flatMap(({ failures }) => failures.splice(0)))
      }
      await pause(random.below(100))
      await server.kill()
      row.recoveryMs.push(await server.start())
    }
    end.abort()
    await Promise.all(streams.map((each) => each.settle()))
    for (const each of streams) await each.judge(row, server.url).catch((error) => row.failures.push(messageOf(error)))
    row.acknowledged = acknowledged()
    row.note = `${streamCount * followersPerStream} followers, ${streamCount * producersPerStream} producers; followers came again ${streams.reduce((sum, { resumed }) => sum + resumed, 0)} times`
    await server.kill('SIGTERM')
    return [row]
  },
}

const again = createFetchWithBackoff(fetch, backoff)

/** Each producer has one batch on its way: none is ever missing, but where it was acknowledged and is lost. The client would try for ever. */
const sendOne: typeof fetch = async (...request) => {
  const reply = await again(...request)
  if (reply.status === 409) throw new Error(`an append was answered with 409: ${await reply.text()}`)
  return reply
}

interface Item {
  readonly producer: number
  readonly number: number
}

class KilledStream {
  readonly failures: string[] = []
  /** By producer: how many are acknowledged, of how many that were sent. */
  readonly #acknowledged = Array.from({ length: producersPerStream }, () => 0)
  readonly #handle: StreamHandle
  readonly #end: AbortSignal
  readonly #random: Seeded
  readonly #producers: Promise<void>[]
  readonly #followers: Follower[]

  constructor(handle: StreamHandle, end: AbortSignal, random: Seeded) {
    this.#handle = handle
    this.#end = end
    this.#random = random
    this.#followers = Array.from(
      { length: followersPerStream },
      (_, index) => new Follower(handle.url, index % 2 === 0 ? 'sse' : 'long-poll'),
    )
    this.#producers = this.#acknowledged.map((_, producer) => this.#produce(producer))
  }

  get acknowledged(): number {
    return this.#acknowledged.reduce((sum, count) => sum + count)
  }

  get resumed(): number {
    return this.#followers.reduce((sum, { resumed }) => sum + resumed, 0)
  }

  async #produce(producer: number): Promise<void> {
    let failure: Error | undefined
    const sender = new IdempotentProducer(this.#handle, `producer-${producer}`, {
      lingerMs: 1,
      fetch: sendOne,
      onError: (error) => {
        failure = error
      },
    })
    for (let number = 0; !this.#end.aborted; ) {
      const count = 1 + this.#random.below(3)
      for (let each = 0; each < count; each++) sender.append(JSON.stringify({ producer, number: number++ }))
      await sender.flush()
      if (failure !== undefined) {
        this.failures.push(`a producer failed: ${messageOf(failure)}`)
        return
      }
      this.#acknowledged[producer] += count
      await pause(this.#random.below(40))
    }
  }

  /** No more appends; the end of the stream is written, and every follower has come to it. */
  async settle(): Promise<void> {
    await Promise.all(this.#producers)
    const closed = await again(this.#handle.url, {
      method: 'POST',
      headers: { 'stream-closed': 'true' },
    })
    if (closed.status !== 204) this.failures.push(`the close was answered with ${closed.status}`)
    await Promise.all(this.#followers.map(({ finished }) => finished))
  }

  async judge(row: Row, url: string): Promise<void> {
    row.failures.push(...this.failures)
    const seen = this.#acknowledged.map(() => 0)
    const all: Item[] = []
    for (let offset = '-1', isWhole = false; !isWhole; ) {
      const reply = await fetch(`${url}${new URL(this.#handle.url).pathname}?offset=${offset}`)
      all.push(...((await reply.json()) as Item[]))
      offset = reply.headers.get('stream-next-offset') as string
      isWhole = reply.headers.get('stream-up-to-date') === 'true'
    }
    for (const { producer, number } of all) {
      if (number < seen[producer]) row.duplicates = (row.duplicates ?? 0) + 1
      else if (number > seen[producer]) row.wrong = (row.wrong ?? 0) + 1
      seen[producer] = Math.max(seen[producer], number + 1)
    }
    this.#acknowledged.forEach((count, producer) => {
      row.lost = (row.lost ?? 0) + Math.max(0, count - seen[producer])
    })
    for (const { items, problem } of this.#followers) {
      if (problem !== undefined) row.failures.push(problem)
      const first = items.findIndex(
        (item, index) => item.producer !== all[index]?.producer || item.number !== all[index]?.number,
      )
      if (first >= 0 || items.length !== all.length)
        row.failures.push(`a follower saw ${items.length} of ${all.length}, another one from ${first} on`)
    }
  }
}

/** Reads to the end of its stream; where the client gives up, from where it was. */
class Follower {
  readonly items: Item[] = []
  readonly finished: Promise<void>
  resumed = -1
  problem: string | undefined
  #offset = '-1'
  #isAtEnd = false
  #saysThatItIsAtEnd!: () => void
  readonly #atEnd = new Promise<void>((resolve) => {
    this.#saysThatItIsAtEnd = resolve
  })

  constructor(url: string, live: 'sse' | 'long-poll') {
    this.finished = this.#follow(url, live)
  }

  async #follow(url: string, live: 'sse' | 'long-poll'): Promise<void> {
    while (!this.#isAtEnd) {
      const gone = new AbortController()
      try {
        this.resumed += 1
        const response = await stream({
          ...{ url, live, offset: this.#offset, json: true, signal: gone.signal, backoffOptions: backoff },
          sseResilience: { logWarnings: false },
        })
        response.subscribeJson(({ items, offset, streamClosed }) => {
          this.items.push(...(items as Item[]))
          this.#offset = offset
          if (!streamClosed) return
          this.#isAtEnd = true
          this.#saysThatItIsAtEnd()
        })
        await response.closed
        // The client is `closed` as soon as it knows that nothing follows, and may still be reading what came last. Who came back to a stream that had ended meanwhile would break that off,
        // begin anew, and break it off again for ever. Where the connection breaks there, nothing tells: then it is asked for once more.
        await Promise.race([this.#atEnd, pause(mostReadingMs)])
      } catch (error) {
        // A connection that breaks is what this is about; whatever the server says of it would be wrong.
        if ((error as { status?: number }).status !== undefined) {
          this.problem = `a follower failed: ${messageOf(error)}`
          return
        }
        await pause(20)
      } finally {
        gone.abort()
      }
    }
  }
}
