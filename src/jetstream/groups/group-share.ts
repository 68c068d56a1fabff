/**
 * What this process has of a group: the messages that the server has given to it, and those who ask for them, in order. The server deals a
 * group's messages out to all processes; here they are dealt out to the seats.
 *
 * Messages that nobody was given yet are *at hand*: what was asked for by who gave up, what is asked for ahead of who takes one after the
 * other, and what was given back and may come again at once. Where nobody takes them for a while the server gets them back.
 *
 * ```
 * closed -> opening -> open <-> seeking       opening, open, seeking -> closed: it failed; the group was removed; the log closes
 * ```
 */
import type { Msg } from '@nats-io/transport-node'
import { Fifo } from '../../collections/fifo.js'
import { assert } from '../../errors.js'
import { Pull } from '../server/pull.js'
import type { TopicStream } from '../server/topic-stream.js'
import { deliveredOf, incoming } from '../server/wire.js'
import { AckSender } from './ack-sender.js'
import { KnownDone } from './known-done.js'
import { type HeldMessage, LeasedMessages, settle } from './leased-messages.js'
import { Readahead } from './readahead.js'
import { eraOf, newEra, type ServerGroup } from './server-group.js'

/** What a share needs of its log. */
export interface ShareHost {
  readonly maxMessageBytes: number
  readonly ackWaitMs: number
  readonly isOpen: boolean
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
  /** Met where nobody waits for it. */
  onError(what: string, error: unknown): void
}

/** Whoever takes messages: how many more of them it would hold, where it takes one after the other. */
export interface Seat {
  readonly room: number
}

/** Who asks: true once it is served, or does not ask any more. */
type Asker = () => boolean

type Stage = 'closed' | 'opening' | 'open' | 'seeking'

const mayFollow: Readonly<Record<Stage, readonly Stage[]>> = {
  closed: ['opening'],
  opening: ['open', 'closed'],
  open: ['seeking', 'closed'],
  seeking: ['open', 'closed'],
}

/** What nobody claims for so long goes back, where nobody takes one after the other: the next seat often comes right behind the last one. */
const unclaimedMs = 250
const longestTickMs = 250

export class GroupShare {
  readonly #stream: TopicStream
  readonly #server: ServerGroup
  readonly #host: ShareHost
  readonly #what: string
  readonly #acks: AckSender
  readonly #held = new LeasedMessages()
  readonly #row = new Fifo<Asker>()
  readonly #seats = new Set<Seat>()
  readonly #readahead = new Readahead()
  readonly #done = new KnownDone()
  /** Attempts of messages that went back to the server, where we know of more than it has counted. */
  readonly #attempts = new Map<number, number>()
  #stage: Stage = 'closed'
  #opening: Promise<void> | undefined
  #pull: Pull | undefined
  /** Which seek the books are of, or the group's beginning. */
  #era: string | undefined
  #generation = 0
  #removals = 0
  #claimedMs = 0
  #toldMs = 0
  #ticker: NodeJS.Timeout | undefined

  constructor(stream: TopicStream, group: string, server: ServerGroup, host: ShareHost) {
    this.#stream = stream
    this.#server = server
    this.#host = host
    this.#what = `group "${group}" of topic "${stream.topic}"`
    const exists = async () => (await server.info()) !== undefined
    this.#acks = new AckSender(stream.link, `acknowledging in ${this.#what}`, exists)
  }

  /** Raised by seek and removal: what was given before means nothing. */
  get generation(): number {
    return this.#generation
  }

  get removals(): number {
    return this.#removals
  }

  get pendingAcks(): number {
    return this.#acks.pending
  }

  /** Who has a seat. */
  get seats(): number {
    return this.#seats.size
  }

  /** The lowest offset that is here and that nobody was given. */
  get lowestAtHand(): number | undefined {
    return this.#held.peek()?.message.offset
  }

  isDone(offset: number): boolean {
    return this.#done.has(offset)
  }

  acksSettled(): Promise<void> {
    return this.#acks.idle()
  }

  enter(seat: Seat): void {
    this.#seats.add(seat)
  }

  leave(seat: Seat): void {
    this.#seats.delete(seat)
  }

  /** Makes the group if it does not exist, and begins to ask for messages. @throws what keeps it from that */
  open(from: 'first' | 'next'): Promise<void> {
    if (this.#stage === 'open' || this.#stage === 'seeking') return Promise.resolve()
    this.#opening ??= this.#open(from).finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  /** The lowest message at hand, for who holds it from now on. */
  take(holder: { release(): void }): HeldMessage | undefined {
    if (this.#stage !== 'open') return undefined
    const held = this.#held.take(holder)
    if (held === undefined) return undefined
    this.#claimedMs = performance.now()
    if (this.#held.atHandCount <= this.#readahead.count >>> 1) this.#ask()
    return held
  }

  /** True: others have asked before. */
  get isAsked(): boolean {
    return this.#row.length > 0
  }

  ask(asker: Asker): void {
    const isFirst = this.#row.length === 0
    this.#row.push(asker)
    this.serve()
    if (isFirst && this.#row.length > 0) {
      this.#readahead.ranDry(performance.now())
      this.#ask()
    }
  }

  /** Looks at all who ask: something has changed. */
  serve(): void {
    while (this.#row.peek()?.() === true) this.#row.shift()
    if (this.#row.length > 0) this.#ask()
  }

  /** Asks the server whether there is a message at this moment; it is dealt out before this resolves. */
  async probe(): Promise<void> {
    await this.#stream.link.trying(`asking for messages of ${this.#what}`, async () => {
      await this.open('first')
      const removals = this.#removals
      const answer = await this.#pull?.probe()
      if (answer === undefined && this.#removals === removals && this.#host.isOpen)
        throw new Error('the servers did not say')
    })
  }

  /** Of whoever has it now. Resolves once the message does not come again. */
  async acknowledge(generation: number, offset: number, reply: string): Promise<void> {
    if (generation !== this.#generation) return
    const held = this.#held.forget(offset)
    held?.holder?.release()
    this.#attempts.delete(offset)
    await this.#acks.add(offset, held?.reply ?? reply)
    if (generation !== this.#generation) return
    // Only now: until then it has to come again if this process dies.
    this.#done.add(offset)
    if (this.#done.isLong) void this.#raiseFloor()
  }

  /** For another attempt. Nothing happens if it was settled meanwhile. */
  giveBack(generation: number, held: HeldMessage, attempt: number, delayMs: number): void {
    const { offset } = held.message
    if (generation !== this.#generation || this.#held.get(offset) !== held) return
    held.attempt = attempt
    // The server keeps the time, and knows of the attempt, whatever becomes of us.
    if (delayMs > 0) this.#handBack(held, settle.giveBackAfter(delayMs))
    // A turn later: it may be acknowledged right behind this.
    else setImmediate(() => this.putBack(generation, held, attempt))
  }

  /** The same, to be given at once. */
  putBack(generation: number, held: HeldMessage, attempt: number): void {
    if (generation !== this.#generation || this.#held.get(held.message.offset) !== held) return
    held.attempt = attempt
    this.#putAtHand(held)
    // This may be in the middle of serving.
    queueMicrotask(() => this.serve())
  }

  /** Everything below is acknowledged, nothing above; what is held means nothing any more. */
  async seek(to: number): Promise<void> {
    // One after the other; and a group that is removed meanwhile is made anew.
    for (; !this.#is('open'); await new Promise(setImmediate)) await this.open('first')
    this.#enter('seeking')
    try {
      await this.#acks.idle()
      if (!this.#is('seeking')) return await this.seek(to)
      const era = newEra()
      this.#beginAnew(to, era)
      // What comes from before the seek has offsets below, or comes again: the same message, whoever is given it first.
      await this.#server.seek(to, era)
    } finally {
      if (this.#is('seeking')) this.#enter('open')
      this.serve()
    }
  }

  /** As a question to ask after a wait: the compiler takes nothing for known. */
  #is(stage: Stage): boolean {
    return this.#stage === stage
  }

  async remove(): Promise<void> {
    await this.#opening?.catch(() => {})
    this.#end()
    await this.#server.remove()
    this.serve()
  }

  /** Everything that is held goes back to the server, and nothing more is asked for. */
  async shut(): Promise<void> {
    // Not with a request of ours still there: the server would give it to us again, and we would not be there.
    if (this.#stream.link.isUp) await this.#pull?.end()
    for (const held of this.#held.all()) this.#say(held, settle.giveBack)
    this.#clear()
    this.#closePull()
    if (this.#stage === 'open' || this.#stage === 'seeking') this.#enter('closed')
  }

  /** Messages below are gone. */
  trimmed(before: number): void {
    for (const { message, holder } of this.#held.all())
      if (message.offset < before && holder === undefined) this.#held.forget(message.offset)
  }

  #enter(next: Stage): void {
    assert(mayFollow[this.#stage].includes(next), `a share of a group does not go from ${this.#stage} to ${next}`)
    this.#stage = next
  }

  async #open(from: 'first' | 'next'): Promise<void> {
    this.#host.checkOpen()
    this.#enter('opening')
    try {
      const info = await this.#server.ensure(from)
      const era = eraOf(info)
      if (this.#era !== era) this.#done.beginAt(0)
      this.#era = era
      this.#enter('open')
    } catch (error) {
      this.#enter('closed')
      throw error
    }
    this.#pullAnew()
    this.serve()
  }

  #pullAnew(): void {
    const { link, name } = this.#stream
    const pull = new Pull(link, name, this.#server.consumer, this.#host.maxMessageBytes, {
      onMessage: (message) => this.#receive(message),
      onExpired: () => this.#ask(),
      onLost: (isGone) => {
        if (this.#pull !== pull) return
        this.#pull = undefined
        if (isGone) this.#removedElsewhere()
        else void this.#restore()
      },
    })
    this.#pull = pull
    this.#ask()
  }

  /** The pull is lost: another one, if the group is still there. */
  async #restore(): Promise<void> {
    const removals = this.#removals
    const isNeeded = () =>
      this.#removals === removals && this.#pull === undefined && this.#stage !== 'closed' && this.#host.isOpen
    try {
      const info = await this.#server.info()
      if (!isNeeded()) return
      if (info === undefined) this.#removedElsewhere()
      else this.#pullAnew()
    } catch (error) {
      if (!isNeeded()) return
      this.#host.onError(`asking for messages of ${this.#what}`, error)
      // It has tried for long. Consumers never fall silent.
      setTimeout(() => void this.#restore(), 1_000).unref()
    }
  }

  #removedElsewhere(): void {
    this.#end()
    this.serve()
  }

  /** The group is gone, and with it who sits in it. */
  #end(): void {
    this.#removals += 1
    this.#beginAnew(0, undefined)
    this.#seats.clear()
    this.#closePull()
    if (this.#stage === 'open' || this.#stage === 'seeking') this.#enter('closed')
  }

  #closePull(): void {
    const pull = this.#pull
    this.#pull = undefined
    pull?.close()
  }

  #beginAnew(floor: number, era: string | undefined): void {
    this.#generation += 1
    for (const { holder } of this.#held.all()) holder?.release()
    this.#clear()
    this.#attempts.clear()
    this.#done.beginAt(floor)
    this.#era = era
  }

  #clear(): void {
    this.#held.clear()
    this.#readahead.stop()
    clearInterval(this.#ticker)
    this.#ticker = undefined
  }

  #receive(message: Msg): void {
    const { offset, time, attempt } = deliveredOf(message)
    const reply = message.reply ?? ''
    const mine = this.#held.get(offset)
    if (mine !== undefined) {
      // The server thinks that we have lost it.
      mine.reply = reply
      return
    }
    // Sent before the server knew.
    if (this.#acks.isUnderWay(offset)) return
    const held: HeldMessage = {
      message: incoming(offset, time, message.data, message.headers),
      reply,
      attempt: Math.max(attempt, this.#attempts.get(offset) ?? 0),
      holder: undefined,
    }
    if (this.#done.has(offset)) void this.#meetAgain(held)
    else this.#keep(held)
  }

  #keep(held: HeldMessage): void {
    this.#putAtHand(held)
    this.#ticker ??= setInterval(() => this.#tick(), Math.min(longestTickMs, this.#host.ackWaitMs / 4)).unref()
    this.serve()
  }

  /** Done, and here again: from a server that had not heard of it when it took over; or somebody went back. */
  async #meetAgain(held: HeldMessage): Promise<void> {
    const generation = this.#generation
    // Not what it is after the wait: another one may have met the same.
    const known = this.#era
    try {
      const info = await this.#server.info()
      if (generation !== this.#generation || info === undefined) return
      const era = eraOf(info)
      if (era === known) return this.#say(held, settle.ack)
      if (era !== this.#era) this.#done.beginAt(0)
      this.#era = era
      this.#keep(held)
    } catch (error) {
      // Not settled, so it comes again.
      this.#host.onError(`a message of ${this.#what} that came again`, error)
    }
  }

  #putAtHand(held: HeldMessage): void {
    if (this.#held.atHandCount === 0) this.#claimedMs = performance.now()
    this.#held.put(held)
  }

  /** As many as are asked for here, and ahead of them as many as are likely to be. */
  #ask(): void {
    if (this.#pull === undefined || this.#stage !== 'open') return
    const missing = this.#row.length + this.#wantedAhead() - this.#held.atHandCount - this.#pull.asked
    if (missing > 0) this.#pull.ask(missing)
  }

  #wantedAhead(): number {
    let room = 0
    for (const seat of this.#seats) room += seat.room
    return Math.min(this.#readahead.count, room)
  }

  #say({ reply }: HeldMessage, what: string): void {
    const { nc } = this.#stream.link
    if (!nc.isClosed()) nc.publish(reply, what)
  }

  #handBack(held: HeldMessage, how: string): void {
    const { offset } = held.message
    this.#held.forget(offset)
    this.#attempts.set(offset, held.attempt)
    this.#say(held, how)
  }

  /** What somebody holds stays ours; what nobody takes goes back. */
  #tick(): void {
    const nowMs = performance.now()
    if (this.#held.size === 0) {
      clearInterval(this.#ticker)
      this.#ticker = undefined
      return
    }
    const patienceMs = this.#wantedAhead() > 0 ? this.#host.ackWaitMs / 2 : unclaimedMs
    if (this.#row.length === 0 && nowMs - this.#claimedMs > patienceMs) {
      this.#readahead.stop()
      for (const held of this.#held.all()) if (held.holder === undefined) this.#handBack(held, settle.giveBack)
    }
    if (nowMs - this.#toldMs < this.#host.ackWaitMs / 3) return
    this.#toldMs = nowMs
    for (const held of this.#held.all()) if (held.holder !== undefined) this.#say(held, settle.stillAtWork)
  }

  async #raiseFloor(): Promise<void> {
    const generation = this.#generation
    const info = await this.#server.info().catch(() => undefined)
    // What is below never comes again.
    if (info !== undefined && generation === this.#generation) this.#done.raise(info.ack_floor.stream_seq)
  }
}
