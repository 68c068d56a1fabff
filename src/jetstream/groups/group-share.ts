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
import { assert } from '../../errors.js'
import { deliveredOf, incoming } from '../server/wire.js'
import { AckSender } from './ack-sender.js'
import { type Asker, Demand, type Seat } from './demand.js'
import { KnownDone } from './known-done.js'
import { LeaseKeeper } from './lease-keeper.js'
import { type HeldMessage, LeasedMessages, settle } from './leased-messages.js'
import { eraOf, newEra, type ServerGroup } from './server-group.js'
import { type PullHost, SteadyPull } from './steady-pull.js'

/** What a share needs of its log. */
export interface ShareHost extends PullHost {
  readonly ackWaitMs: number
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
}

type Stage = 'closed' | 'opening' | 'open' | 'seeking'

const mayFollow: Readonly<Record<Stage, readonly Stage[]>> = {
  closed: ['opening'],
  opening: ['open', 'closed'],
  open: ['seeking', 'closed'],
  seeking: ['open', 'closed'],
}

export class GroupShare {
  /** Called after every acknowledgement, seek and removal that this process knows of. */
  readonly changes = new Set<() => void>()
  readonly #server: ServerGroup
  readonly #host: ShareHost
  readonly #acks: AckSender
  readonly #demand = new Demand()
  readonly #held = new LeasedMessages()
  readonly #keeper: LeaseKeeper
  readonly #pull: SteadyPull
  readonly #done = new KnownDone()
  #stage: Stage = 'closed'
  #opening: Promise<void> | undefined
  #generation = 0
  #removals = 0

  constructor(server: ServerGroup, host: ShareHost) {
    this.#server = server
    this.#host = host
    const { link } = server.stream
    this.#acks = new AckSender(link, `acknowledging in ${server.what}`, () => server.exists())
    this.#keeper = new LeaseKeeper(link, this.#held, this.#demand, host.ackWaitMs)
    this.#pull = new SteadyPull(server, host, {
      onMessage: (message) => this.#receive(message),
      onExpired: () => this.#ask(),
      onGone: () => {
        this.#end()
        this.serve()
      },
    })
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

  /** Consumers that have a seat. */
  get consumers(): number {
    return this.#demand.consumers
  }

  /** Which seek what is known is of, or the group's beginning. */
  get era(): string | undefined {
    return this.#done.era
  }

  /** Everything below is done, as far as this process knows. */
  get committed(): number {
    return this.#done.committed
  }

  /** Messages that are here and that nobody was given. */
  get atHand(): number {
    return this.#held.atHandCount
  }

  /** The lowest of them. */
  peek(): HeldMessage | undefined {
    return this.#held.peek()
  }

  /**
   * True: every message that the servers have given to anybody, and that is not acknowledged, is here. Asked of them at this moment.
   */
  async hasAllGiven(): Promise<boolean> {
    const before = this.#held.version
    const info = await this.#server.info()
    // What changed meanwhile is counted by them, or not.
    return this.#held.version === before && info !== undefined && info.num_ack_pending === this.#held.size
  }

  /** Asks the server for so many, although there are messages at hand: what it gives again comes first. */
  askBeside(count: number): void {
    if (this.#stage === 'open' && count > this.#pull.asked) this.#pull.ask(count - this.#pull.asked)
  }

  /** Everything below is done, by whoever it was. @param generation in which that was found */
  raise(generation: number, floor: number): void {
    if (generation !== this.#generation) return
    this.#done.raise(floor)
    this.#announce()
  }

  isDone(offset: number): boolean {
    return this.#done.has(offset)
  }

  acksSettled(): Promise<void> {
    return this.#acks.idle()
  }

  enter(seat: Seat): void {
    this.#demand.enter(seat)
  }

  leave(seat: Seat): void {
    this.#demand.leave(seat)
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
    this.#keeper.claimed()
    if (this.#demand.isLow(this.#held.atHandCount)) this.#ask()
    return held
  }

  /** True: others have asked before. */
  get isAsked(): boolean {
    return this.#demand.isAsked
  }

  ask(asker: Asker): void {
    const isFirst = !this.isAsked
    this.#demand.push(asker)
    this.serve()
    if (isFirst && this.isAsked) {
      this.#demand.ranDry()
      this.#ask()
    }
  }

  /** Looks at all who ask: something has changed. */
  serve(): void {
    this.#demand.serve()
    if (this.isAsked) this.#ask()
  }

  /** Asks the server whether there is a message at this moment; it is dealt out before this resolves. */
  async probe(): Promise<void> {
    await this.#server.stream.link.trying(`asking for messages of ${this.#server.what}`, async () => {
      await this.open('first')
      const removals = this.#removals
      const answer = await this.#pull.probe()
      if (answer === undefined && this.#removals === removals && this.#host.isOpen)
        throw new Error('the servers did not say')
    })
  }

  /** Of whoever has it now. Resolves once the message does not come again. */
  async acknowledge(generation: number, offset: number, reply: string): Promise<void> {
    if (generation !== this.#generation) return
    const held = this.#held.forget(offset)
    held?.holder?.release()
    this.#keeper.settled(offset)
    await this.#acks.add(offset, held?.reply ?? reply)
    if (generation !== this.#generation) return
    // Only now: until then it has to come again if this process dies.
    this.#done.add(offset)
    this.#announce()
    if (this.#done.isLong) void this.#raiseFloor()
  }

  /** For another attempt. Nothing happens if it was settled meanwhile. */
  giveBack(generation: number, held: HeldMessage, attempt: number, delayMs: number): void {
    const { offset } = held.message
    if (generation !== this.#generation || this.#held.get(offset) !== held) return
    held.attempt = attempt
    // The server keeps the time, and knows of the attempt, whatever becomes of us.
    if (delayMs > 0) this.#keeper.handBack(held, settle.giveBackAfter(delayMs))
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
    if (this.#server.stream.link.isUp) await this.#pull.end()
    for (const held of this.#held.all()) this.#keeper.handBack(held, settle.giveBack)
    this.#keeper.forgetAll()
    this.#pull.close()
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
      this.#done.meet(eraOf(await this.#server.ensure(from)))
      this.#enter('open')
    } catch (error) {
      this.#enter('closed')
      throw error
    }
    this.#pull.begin()
    this.serve()
  }

  /** The group is gone, and with it who sits in it. */
  #end(): void {
    this.#removals += 1
    this.#beginAnew(0, undefined)
    this.#demand.clearSeats()
    this.#pull.close()
    if (this.#stage === 'open' || this.#stage === 'seeking') this.#enter('closed')
  }

  #beginAnew(floor: number, era: string | undefined): void {
    this.#generation += 1
    for (const { holder } of this.#held.all()) holder?.release()
    this.#keeper.forgetAll()
    this.#done.beginAt(floor, era)
    this.#announce()
  }

  #announce(): void {
    for (const listener of this.changes) listener()
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
      attempt: this.#keeper.attemptOf(offset, attempt),
      holder: undefined,
    }
    if (this.#done.has(offset)) void this.#meetAgain(held)
    else this.#keep(held)
  }

  #keep(held: HeldMessage): void {
    this.#putAtHand(held)
    this.#keeper.begin()
    this.serve()
  }

  /** Done, and here again: from a server that had not heard of it when it took over; or somebody went back. */
  async #meetAgain(held: HeldMessage): Promise<void> {
    const generation = this.#generation
    // Not what it is after the wait: another one may have met the same.
    const known = this.#done.era
    try {
      const info = await this.#server.info()
      if (generation !== this.#generation || info === undefined) return
      const era = eraOf(info)
      if (era === known) return this.#keeper.tell(held, settle.ack)
      this.#done.meet(era)
      this.#keep(held)
    } catch (error) {
      // Not settled, so it comes again.
      this.#host.onError(`a message of ${this.#server.what} that came again`, error)
    }
  }

  #putAtHand(held: HeldMessage): void {
    if (this.#held.atHandCount === 0) this.#keeper.claimed()
    this.#held.put(held)
  }

  /** As many as are asked for here, and ahead of them as many as are likely to be. */
  #ask(): void {
    if (this.#stage !== 'open') return
    const missing = this.#demand.wanted - this.#held.atHandCount - this.#pull.asked
    if (missing > 0) this.#pull.ask(missing)
  }

  async #raiseFloor(): Promise<void> {
    const generation = this.#generation
    const info = await this.#server.info().catch(() => undefined)
    // What is below never comes again.
    if (info !== undefined && generation === this.#generation) this.#done.raise(info.ack_floor.stream_seq)
  }
}
