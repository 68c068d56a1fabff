/** Workers of one subscription, and what they have said: whatever they are given has to agree with that. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Seeded } from '../../support/seeded.js'
import { messageOf } from '../fault.js'
import { pause } from '../writer-process.js'
import { type Answer, untilAnswered } from './until-answered.js'

export interface WorkersParts {
  readonly url: string
  readonly id: string
  readonly random: Seeded
  /** By stream: where it begins, which is where it ended when it was subscribed to. */
  readonly starts: ReadonlyMap<string, string>
  readonly end: AbortSignal
}

interface Told {
  readonly path: string
  readonly acked_offset: string
  readonly tail_offset: string
}

interface Wake {
  readonly wake_id: string
  readonly generation: number
  readonly token: string
  readonly streams: readonly Told[]
}

const diesOverIt = 0.05

/** Offsets are texts that sort as the stream does; `-1` is below all of them. */
function later(one: string | undefined, other: string): string {
  return one === undefined || one < other ? other : one
}

export abstract class SubscriptionWorkers {
  readonly id: string
  readonly problems: string[] = []
  acknowledgements = 0
  lost = 0
  givenAgain = 0
  generationsGivenTwice = 0
  /** Reports that came when somebody else had been woken. */
  fenced = 0
  protected readonly parts: WorkersParts
  /** By stream: how far it was answered that it is done, and how far anybody has said so. */
  readonly #answered = new Map<string, string>()
  readonly #said: Map<string, string>

  constructor(parts: WorkersParts) {
    this.id = parts.id
    this.parts = parts
    this.#said = new Map(parts.starts)
  }

  /** What of its configuration is the workers' affair. */
  abstract begin(): Promise<object>
  abstract end(): Promise<void>

  /** What is answered so far: nothing that is given to who asks from now on lies below. */
  protected answeredSoFar(): ReadonlyMap<string, string> {
    return new Map(this.#answered)
  }

  protected check(streams: readonly Told[], answered: ReadonlyMap<string, string>): void {
    for (const { path, acked_offset } of streams) {
      if (acked_offset < (answered.get(path) ?? '-1')) this.givenAgain += 1
      if (acked_offset > (this.#said.get(path) ?? '-1')) this.lost += 1
    }
  }

  /** Before it is sent: it may be taken for done, whether it is answered or not. */
  protected say(streams: readonly Told[]): void {
    for (const { path, tail_offset } of streams) this.#said.set(path, later(this.#said.get(path), tail_offset))
  }

  /** Works, and says so; or dies over it. */
  protected async work(wake: Wake, action: 'ack' | 'callback'): Promise<void> {
    const { random } = this.parts
    await pause(random.below(20))
    if (random.chance(diesOverIt)) return
    if (action === 'ack' && random.chance(0.3)) await this.#report(wake, wake.streams.slice(0, 1), false, action)
    await this.#report(wake, wake.streams, true, action)
  }

  async #report(wake: Wake, streams: readonly Told[], done: boolean, action: string): Promise<void> {
    const { url, id, end } = this.parts
    this.say(streams)
    const { wake_id, generation, token } = wake
    const acks = streams.map(({ path, tail_offset }) => ({ stream: path, offset: tail_offset }))
    const body = JSON.stringify({ wake_id, generation, acks, done })
    const headers = { authorization: `Bearer ${token}` }
    const { status, text } = await untilAnswered(
      `${url}/__ds/subscriptions/${id}/${action}`,
      { method: 'POST', headers, body },
      end,
    )
    if (status === 200) {
      this.acknowledgements += 1
      for (const { path, tail_offset } of streams)
        this.#answered.set(path, later(this.#answered.get(path), tail_offset))
    } else if (status === 409 && text.includes('FENCED')) this.fenced += 1
    else this.problems.push(`a report was answered with ${status}: ${text}`)
  }
}

/** Follow the stream of wakes, and claim. */
export class PullWorkers extends SubscriptionWorkers {
  readonly #generations = new Set<number>()
  #workers: Promise<void>[] = []

  async begin(): Promise<object> {
    this.#workers = ['a', 'b', 'c'].map((worker) =>
      this.#follow(worker).catch((error) => {
        if (!this.parts.end.aborted) this.problems.push(`a worker failed: ${messageOf(error)}`)
      }),
    )
    return { type: 'pull-wake', wake_stream: 'wakes' }
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers)
  }

  async #follow(worker: string): Promise<void> {
    const { url, end } = this.parts
    for (let offset = '-1'; ; ) {
      const { status, headers } = await untilAnswered(`${url}/wakes?offset=${offset}&live=long-poll`, {}, end)
      if (status !== 200 && status !== 204) throw new Error(`the wakes were answered with ${status}`)
      offset = headers.get('stream-next-offset') ?? offset
      if (status === 200) await this.#claim(worker)
    }
  }

  async #claim(worker: string): Promise<void> {
    const { url, id, end } = this.parts
    const answered = this.answeredSoFar()
    const body = JSON.stringify({ worker })
    const claimed = await untilAnswered(`${url}/__ds/subscriptions/${id}/claim`, { method: 'POST', body }, end)
    // Another worker has it, or has done it.
    if (claimed.status === 409 || isNothingToDo(claimed)) return
    if (claimed.status !== 200) throw new Error(`a claim was answered with ${claimed.status}: ${claimed.text}`)
    const wake: Wake = JSON.parse(claimed.text)
    this.check(wake.streams, answered)
    if (this.#generations.has(wake.generation)) this.generationsGivenTwice += 1
    this.#generations.add(wake.generation)
    await this.work(wake, 'ack')
  }
}

function isNothingToDo({ text }: Answer): boolean {
  return text.includes('NO_PENDING_WORK')
}

/** A webhook that answers that it is done, or says so later, or fails. */
export class WebhookWorkers extends SubscriptionWorkers {
  readonly #server = createServer((request, response) => {
    this.#receive(request, response).catch((error) => {
      if (!this.parts.end.aborted) this.problems.push(`a webhook failed: ${messageOf(error)}`)
      response.destroy()
    })
  })
  /** The wake of each generation. */
  readonly #wakes = new Map<number, string>()

  async begin(): Promise<object> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const { port } = this.#server.address() as AddressInfo
    return { type: 'webhook', webhook: { url: `http://127.0.0.1:${port}/` } }
  }

  async end(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { random } = this.parts
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const { callback_token: token, ...told } = JSON.parse(Buffer.concat(pieces).toString())
    const wake: Wake = { ...told, token }
    this.check(wake.streams, this.answeredSoFar())
    if ((this.#wakes.get(wake.generation) ?? wake.wake_id) !== wake.wake_id) this.generationsGivenTwice += 1
    this.#wakes.set(wake.generation, wake.wake_id)
    await pause(random.below(20))
    if (random.chance(diesOverIt)) response.writeHead(500).end()
    else if (random.chance(0.5)) {
      this.say(wake.streams)
      response.end('{"done":true}')
    } else {
      response.end('{}')
      await this.work(wake, 'callback')
    }
  }
}
