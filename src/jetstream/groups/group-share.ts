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
import { assert } from '../../errors.js'
import { Arrivals } from './arrivals.js'
import { type Asker, Demand, type Seat } from './demand.js'
import { LeaseKeeper } from './lease-keeper.js'
import { type HeldMessage, LeasedMessages, settle } from './leased-messages.js'
import { eraOf, newEra, type ServerGroup } from './server-group.js'
import { ShareBooks } from './share-books.js'
import { type PullHost, SteadyPull } from './steady-pull.js'

/** What a share needs of its log. */
export interface ShareHost extends PullHost {
  readonly ackWaitMs: number
  /** @throws `BOOKEND_CLOSED` */
  checkOpen(): void
}

const longestPauseMs = 250

type Stage = 'closed' | 'opening' | 'open' | 'seeking'

const mayFollow: Readonly<Record<Stage, readonly Stage[]>> = {
  closed: ['opening'],
  opening: ['open', 'closed'],
  open: ['seeking', 'closed'],
  seeking: ['open', 'closed'],
}

export class GroupShare {
  readonly books: ShareBooks
  readonly #server: ServerGroup
  readonly #host: ShareHost
  readonly #demand = new Demand()
  readonly #held = new LeasedMessages()
  readonly #keeper: LeaseKeeper
  readonly #pull: SteadyPull
  #stage: Stage = 'closed'
  #opening: Promise<void> | undefined
  #removals = 0
  /** Each may bring a message. */
  #probing = 0

  constructor(server: ServerGroup, host: ShareHost) {
    this.#server = server
    this.#host = host
    const { link } = server.stream
    this.books = new ShareBooks(server, (count) => this.askBeside(count))
    this.#keeper = new LeaseKeeper(link, this.#held, this.#demand, host.ackWaitMs)
    const arrivals = new Arrivals({
      ...{ books: this.books, held: this.#held, keeper: this.#keeper },
      keep: (held) => this.#keep(held),
      missed: () => this.#ask(),
      onError: (error) => host.onError(`a message of ${server.what} that came again`, error),
    })
    this.#pull = new SteadyPull(server, host, {
      onMessage: (message) => arrivals.receive(message),
      onExpired: () => this.#ask(),
      onGone: () => {
        this.#end()
        this.serve()
      },
    })
  }

  get removals(): number {
    return this.#removals
  }

  /** Consumers that have a seat. */
  get consumers(): number {
    return this.#demand.consumers
  }

  /** Messages that are here and that nobody was given. */
  get atHand(): number {
    return this.#held.atHandCount
  }

  /** The lowest of them. */
  peek(): HeldMessage | undefined {
    return this.#held.peek()
  }

  /** True: it is done, or being acknowledged, or somebody in here holds it. */
  isTaken(offset: number): boolean {
    const { books } = this
    return this.#held.get(offset)?.holder !== undefined || books.isUnderWay(offset) || books.isDone(offset)
  }

  /**
   * True: every message that the servers have given to anybody, and that is not acknowledged, is here. Asked of them at this moment.
   * @param offset one that was given to us
   */
  async hasAllGiven(offset: number): Promise<boolean> {
    const before = this.#held.version
    const info = await this.#server.info()
    // What changed meanwhile is counted by them, or not; and one that does not know of this message is cut off from the others, or has forgotten.
    if (info === undefined || info.delivered.stream_seq <= offset || this.#held.version !== before) return false
    return info.num_ack_pending === this.#held.size
  }

  /** Asks the server for so many, although there are messages at hand: what it gives again comes first. */
  askBeside(count: number): void {
    if (this.#stage === 'open' && count > this.#pull.asked) this.#pull.ask(count - this.#pull.asked)
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

  /**
   * Asks the server whether there is a message at this moment; it is dealt out before this resolves. Nobody asks for that message beside it: it would come to
   * that request, and this one find nothing. Whoever has called serves the row afterwards: some may have counted on it.
   */
  async probe(): Promise<void> {
    this.#probing += 1
    const what = `asking for messages of ${this.#server.what}`
    await this.#server.stream.link
      .trying(what, () => this.#probe())
      .finally(() => {
        this.#probing -= 1
      })
  }

  /**
   * What is next for this process is at hand, unless the server has given it to nobody. Of what it has given out, more may be ours than is
   * here: it is on its way, or went back because nobody took it, and comes again before anything new.
   * @param pending messages that the server has given to anybody, and that are not acknowledged
   */
  async gather(pending: number): Promise<void> {
    if (this.#held.atHandCount > 0 || pending <= this.#held.size) return
    await this.probe()
    this.serve()
  }

  /** Of whoever has it now. Resolves once the message does not come again. */
  async acknowledge(generation: number, offset: number, reply: string): Promise<void> {
    if (generation !== this.books.generation) return
    const held = this.#held.forget(offset)
    held?.holder?.release()
    this.#keeper.settled(offset)
    await this.books.acknowledge(generation, offset, held?.reply ?? reply)
  }

  /** For another attempt. Nothing happens if it was settled meanwhile. */
  giveBack(generation: number, held: HeldMessage, attempt: number, delayMs: number): void {
    const { offset } = held.message
    if (generation !== this.books.generation || this.#held.get(offset) !== held) return
    held.attempt = attempt
    // The server keeps the time, and knows of the attempt, whatever becomes of us.
    if (delayMs > 0) this.#keeper.handBack(held, settle.giveBackAfter(delayMs))
    // A turn later: it may be acknowledged right behind this.
    else setImmediate(() => this.putBack(generation, held, attempt))
  }

  /** The same, to be given at once. */
  putBack(generation: number, held: HeldMessage, attempt: number): void {
    if (generation !== this.books.generation || this.#held.get(held.message.offset) !== held) return
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
      await this.books.acksSettled()
      if (!this.#is('seeking')) return await this.seek(to)
      const era = newEra()
      this.#leaveBehind()
      this.books.setOut(to, era)
      // What comes from before the seek has offsets below, or comes again: the same message, whoever is given it first.
      await this.#server.seek(to, era).finally(() => this.books.arrive())
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
      this.books.meet(eraOf(await this.#server.ensure(from)))
      this.#enter('open')
    } catch (error) {
      this.#enter('closed')
      throw error
    }
    this.#pull.begin()
    this.serve()
  }

  async #probe(): Promise<void> {
    await this.open('first')
    await this.#keeper.allBack()
    const removals = this.#removals
    let answer = await this.#pull.probe()
    if (answer === false) {
      const { next } = await this.#server.stream.bounds()
      // The node that has the group may not have heard yet of what others have stored.
      for (let pauseMs = 1; answer === false && !(await this.#server.hasGiven(next)); pauseMs *= 2) {
        await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, longestPauseMs)))
        answer = await this.#pull.probe()
      }
    }
    if (answer === undefined && this.#removals === removals && this.#host.isOpen)
      throw new Error('the servers did not say')
  }

  /** The group is gone, and with it who sits in it. */
  #end(): void {
    this.#removals += 1
    this.#leaveBehind()
    this.books.beginAt(0, undefined)
    this.#demand.clearSeats()
    this.#pull.close()
    if (this.#stage === 'open' || this.#stage === 'seeking') this.#enter('closed')
  }

  #leaveBehind(): void {
    this.books.leaveBehind()
    for (const { holder } of this.#held.all()) holder?.release()
    this.#keeper.forgetAll()
  }

  #keep(held: HeldMessage): void {
    this.#putAtHand(held)
    this.#keeper.begin()
    this.serve()
  }

  #putAtHand(held: HeldMessage): void {
    if (this.#held.atHandCount === 0) this.#keeper.claimed()
    this.#held.put(held)
  }

  /** As many as are asked for here, and ahead of them as many as are likely to be. */
  #ask(): void {
    if (this.#stage !== 'open') return
    const missing = this.#demand.wanted - this.#held.atHandCount - this.#pull.asked - this.#probing
    if (missing > 0) this.#pull.ask(missing)
  }
}
