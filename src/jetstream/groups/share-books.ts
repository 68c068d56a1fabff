/**
 * What this process knows of a group beside the messages that it holds: which are acknowledged, or on their way to be, of which seek that is
 * known, and what has been given out since.
 *
 * A server that takes over from one that died may give away again what was acknowledged. Whoever remembers acknowledges it once more, and
 * nobody sees it, unless somebody went back meanwhile.
 */
import { AckSender } from './ack-sender.js'
import { KnownDone } from './known-done.js'
import { eraOf, type ServerGroup } from './server-group.js'

export class ShareBooks {
  /** Called after every acknowledgement, seek and removal that this process knows of. */
  readonly changes = new Set<() => void>()
  readonly #server: ServerGroup
  readonly #askAgain: (count: number) => void
  readonly #acks: AckSender
  readonly #done = new KnownDone()
  #generation = 0
  /** A seek is on its way: what the servers say of the group may be of before. */
  #isOnTheWay = false

  /** @param askAgain asks the servers for so many messages that they have given before */
  constructor(server: ServerGroup, askAgain: (count: number) => void) {
    this.#server = server
    this.#askAgain = askAgain
    const isMeant = (offset: number) => this.#isMeant(offset)
    this.#acks = new AckSender(server.stream.link, `acknowledging in ${server.what}`, isMeant)
  }

  /** Raised by seek and removal: what was given before means nothing. */
  get generation(): number {
    return this.#generation
  }

  /** Which seek what is known is of, or the group's beginning. */
  get era(): string | undefined {
    return this.#done.era
  }

  /** Everything below is done, as far as this process knows. */
  get committed(): number {
    return this.#done.committed
  }

  isDone(offset: number): boolean {
    return this.#done.has(offset)
  }

  /** Acknowledged, and not yet known to be. */
  isUnderWay(offset: number): boolean {
    return this.#acks.isUnderWay(offset)
  }

  get pendingAcks(): number {
    return this.#acks.pending
  }

  acksSettled(): Promise<void> {
    return this.#acks.idle()
  }

  /** Resolves once the message does not come again. */
  async acknowledge(generation: number, offset: number, reply: string): Promise<void> {
    await this.#acks.add(offset, reply)
    if (generation !== this.#generation) return
    // Only now: until then it has to come again if this process dies.
    this.#done.add(offset)
    this.#announce()
    if (this.#done.isLong) void this.#raiseFloor()
  }

  /** Everything below is done, by whoever it was. @param generation in which that was found */
  raise(generation: number, floor: number): void {
    if (generation !== this.#generation || this.#isOnTheWay) return
    this.#done.raise(floor)
    this.#announce()
  }

  /** The group is there, and of that era: what is known of another says nothing. */
  meet(era: string | undefined): void {
    this.#done.meet(era)
  }

  /** What was given until now means nothing any more: {@link beginAt} comes next. */
  leaveBehind(): void {
    this.#generation += 1
  }

  /** The servers are to go on from there too: {@link arrive} comes next. */
  setOut(floor: number, era: string): void {
    this.#isOnTheWay = true
    this.beginAt(floor, era)
  }

  /** The servers have heard of it. What was asked of them until now is not known to be of before or behind. */
  arrive(): void {
    this.#isOnTheWay = false
    this.#generation += 1
    this.#announce()
  }

  /** The group goes on from there, or is gone. */
  beginAt(floor: number, era: string | undefined): void {
    this.#done.beginAt(floor, era)
    this.#announce()
  }

  /**
   * Of a message that is done, and here again. True: it still is, and only the server had not heard of it. False: somebody went back, and it
   * is to be handled. Undefined: neither, the group has been left behind.
   * @throws what kept the servers from saying
   */
  async isStillDone(): Promise<boolean | undefined> {
    const generation = this.#generation
    // Not what it is after the wait: another one may have met the same.
    const known = this.era
    const info = await this.#server.info()
    if (generation !== this.#generation || info === undefined) return undefined
    const era = eraOf(info)
    if (era === known) return true
    this.meet(era)
    return false
  }

  /**
   * Nobody has answered to the acknowledgement of that message. A server that was killed may not know that it has given it to anybody, and says nothing to
   * that before it has given it again.
   * @returns false: the group was removed, or somebody went back
   */
  async #isMeant(offset: number): Promise<boolean> {
    const { era } = this
    const info = await this.#server.info()
    if (info === undefined || eraOf(info) !== era) return false
    this.#askAgain(offset + 1 - info.delivered.stream_seq)
    return true
  }

  #announce(): void {
    for (const listener of this.changes) listener()
  }

  async #raiseFloor(): Promise<void> {
    const generation = this.#generation
    const info = await this.#server.info().catch(() => undefined)
    // What is below never comes again.
    if (info !== undefined) this.raise(generation, info.ack_floor.stream_seq)
  }
}
