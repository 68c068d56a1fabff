/**
 * The owner's end of one port: another thread of the application that is, or will be, attached to the log.
 *
 * ```
 *   offered --connect--> connecting --granted--> connected --detach--> ended
 *      |                     |                       |                   ^
 *      +---------------------+- the channel closes, or the log closes ---+
 * ```
 *
 * The channel closes when the thread closes its log, and when the thread ends, however it ends. Then everything the thread held is
 * given back: leases, pins, its lane. What it had handed over is still written.
 */
import type { MessagePort } from 'node:worker_threads'
import { DeskBranch } from '../../dispatcher/groups/desk-branch.js'
import type { Engine, EngineSchedules, LocalParts } from '../../engine/engine.js'
import type { Durability, Filter, IdSpan, TransactionAnswer, TransactionParts } from '../../engine/terms.js'
import { toPortable } from '../../errors.js'
import { closedError } from '../../failures.js'
import { selectionOf } from '../../messages/selection.js'
import type { PortWord } from '../../ring/port-word.js'
import type { AckShare, CommitShare } from '../group-transactions.js'
import type { LocalTopic } from '../local-topic.js'
import { CallParty, Transferred } from './calls.js'
import type { AttachedCalls, DeskName, Grant, OwnerCalls } from './protocol.js'
import { ServedProcessors } from './served-processors.js'

/** A thread that does not come to it, as it is blocked, keeps no log from closing for longer. */
const patienceMs = 2_000

/** The engine of the owner's thread. */
export interface OwnerEngine extends Pick<Engine, 'facts' | 'checkOpen' | 'checkWritable' | 'topicNames' | 'groups'> {
  readonly local: LocalParts
  readonly schedules: EngineSchedules
  topic(name: string): LocalTopic
  transactShares(
    parts: TransactionParts,
    acks: readonly AckShare[],
    commits: readonly CommitShare[],
    level: Durability,
  ): Promise<TransactionAnswer>
  recallIds(topic: string, span: IdSpan): Promise<void>
}

/** What an attachment needs of its log. */
export interface AttachmentHost {
  readonly engine: OwnerEngine
  /** Whether a thread may connect. @throws `BOOKEND_CLOSED` */
  checkOpen(): void
  flushGroups(level: Durability): Promise<void>
  /** A lane of its own, and all that a thread has to know. */
  grant(): Promise<Grant>
  /** The thread of the grant has left, or ended in the middle of anything. */
  revoke(grant: Grant): void
  /** A thread has ended without connecting. */
  onUnused(): void
}

export class Attachment {
  readonly #word: PortWord
  readonly #host: AttachmentHost
  readonly #party: CallParty<OwnerCalls, AttachedCalls>
  readonly #onEnd: () => void
  #stage: 'offered' | 'connecting' | 'connected' | 'ended' = 'offered'
  #grant: Grant | undefined
  readonly #branches = new Map<string, DeskBranch>()
  readonly #processors: ServedProcessors
  /** Called when it has ended. */
  #whenEnded: () => void = () => {}

  constructor(port: MessagePort, word: PortWord, host: AttachmentHost, onEnd: () => void) {
    this.#word = word
    this.#host = host
    this.#onEnd = onEnd
    this.#processors = new ServedProcessors(host.engine.facts.place, (number, view) =>
      this.#party.tell('processed', number, view),
    )
    this.#party = new CallParty({ port, own: this.#calls(), onEnd: () => this.#end('gone') })
  }

  /** The log closes: resolves when the thread has settled what is its own and left, or does not within {@link patienceMs}. */
  async close(): Promise<void> {
    // Who has taken the port and not called yet is answered: nobody would tell him that his channel is closed.
    if (this.#stage !== 'ended' && !this.#word.tryVoid()) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, patienceMs)
        this.#whenEnded = () => {
          clearTimeout(timer)
          resolve()
        }
        this.#party.tell('closing')
      })
    }
    this.#end('log closed')
  }

  /** The thread's appends will not be written any more. */
  fail(error: Error): void {
    this.#party.tell('failed', toPortable(error))
  }

  /** `gone`: its channel has closed, so it may have ended in the middle of anything. */
  #end(how: 'gone' | 'left' | 'log closed'): void {
    const stage = this.#stage
    if (stage === 'ended') return
    this.#stage = 'ended'
    if (stage === 'offered' && how === 'gone') this.#host.onUnused()
    this.#party.end(closedError(this.#host.engine.facts.place))
    // First: others may be waiting for what it held.
    for (const branch of this.#branches.values()) branch.end()
    this.#branches.clear()
    this.#processors.end()
    if (this.#grant !== undefined) this.#host.revoke(this.#grant)
    this.#onEnd()
    this.#whenEnded()
  }

  #calls(): OwnerCalls {
    const host = this.#host
    const { engine } = host
    const topicOf = (name: string) => engine.topic(name)
    const groupOf = (topic: string, name: string, filter: Filter | undefined) => {
      const group = topicOf(topic).group(name)
      if (filter !== undefined) group.filter(filter)
      return group
    }
    return {
      connect: async () => {
        if (this.#stage !== 'offered') throw new TypeError('the port was connected already')
        host.checkOpen()
        this.#stage = 'connecting'
        const grant = await host.grant()
        if (this.#isOver()) {
          // The thread has ended meanwhile, or the log has closed.
          host.revoke(grant)
          throw closedError(engine.facts.place)
        }
        this.#stage = 'connected'
        this.#grant = grant
        return new Transferred(grant, [grant.lane.bulk])
      },
      detach: () => {
        // The answer leaves first.
        setImmediate(() => this.#end('left'))
      },
      port: async () => {
        const port = await engine.local.port()
        return new Transferred(port, [...port.ports])
      },
      topicNames: () => engine.topicNames(),
      groups: async () => {
        const infos = await engine.groups()
        return infos.map(({ processors, ...info }) => ({
          ...info,
          processors: processors.map(({ state, error }) => ({ state, error: error && toPortable(error) })),
        }))
      },
      flushGroups: (_, level) => host.flushGroups(level),
      trim: (_, topic, before) => topicOf(topic).trim(before),
      transact: async (_, parts, acks, commits, level) => {
        const answer = await engine.transactShares(parts, acks, commits, level)
        for (const { topic, group, generation, ranges } of acks)
          this.#branch({ topic, group }).noteDone(generation, ranges)
        return answer
      },
      recallIds: (_, topic, span) => engine.recallIds(topic, span),
      schedule: async (_, message, level) => {
        engine.checkWritable()
        return engine.schedules.schedule(message, level)
      },
      repeat: async (_, repeat, level) => {
        engine.checkWritable()
        return engine.schedules.repeat(repeat, level)
      },
      endRepeat: async (_, topic, name, level) => {
        engine.checkWritable()
        return engine.schedules.endRepeat(topic, name, level)
      },
      waiting: (_, topic, id) => engine.schedules.waiting(topic, id),
      isUpToDate: () => engine.schedules.isUpToDate(),
      cancelScheduled: async (_, topic, ticket, level) => {
        engine.checkWritable()
        return engine.schedules.cancel(topic, ticket, level)
      },
      retain: (_, topic, retention, isAddition) => topicOf(topic).retain(retention, isAddition),
      index: (_, topic, index) => topicOf(topic).index(index),
      backup: (signal, target) => engine.local.backup(target, signal),
      segments: (_, limit) => engine.local.segments(limit),
      residency: () => engine.local.residency(),
      chunk: async (_, topic, offset, to, resume, wanted) => {
        engine.checkOpen()
        const chunk = await topicOf(topic).chunk(offset, to, resume, 1, selectionOf(wanted))
        return new Transferred(chunk, [chunk.bytes.buffer])
      },
      records: async (_, topic, offsets) => {
        engine.checkOpen()
        const answers = await topicOf(topic).answers(offsets)
        return new Transferred(answers, [...new Set(answers.map(({ bytes }) => bytes.buffer as ArrayBuffer))])
      },
      keyed: async (_, topic, key, range) => {
        engine.checkOpen()
        const answer = await topicOf(topic).keyedAnswer(key, range)
        return new Transferred(answer, [answer.bytes.buffer as ArrayBuffer])
      },
      newest: async (_, topic, keys) => {
        engine.checkOpen()
        return topicOf(topic).newestAnswer(keys)
      },
      offsetAt: (_, topic, time) => topicOf(topic).offsetAt(time),
      scan: (signal, topic, request) => topicOf(topic).scan({ ...request, signal }),
      filter: async (_, topic, group, filter) => void groupOf(topic, group, filter),
      position: (_, topic, group, filter) => groupOf(topic, group, filter).position(),
      seek: (_, topic, group, to) => topicOf(topic).group(group).seek(to),
      remove: (_, topic, group) => topicOf(topic).group(group).remove(),
      view: (_, topic, group, filter) => groupOf(topic, group, filter).view(),
      openDesk: async (_, name, from, filter) => {
        groupOf(name.topic, name.group, filter)
        await this.#branch(name).open(from)
      },
      ask: (_, name, number, max, mayWait, ackTimeoutMs) => this.#branch(name).ask(number, max, mayWait, ackTimeoutMs),
      cancel: (_, name, number) => this.#branch(name).cancel(number),
      acknowledge: (_, name, generation, ranges) => this.#branch(name).acknowledge(generation, ranges),
      seats: (_, name, count) => this.#branch(name).seats(count),
      giveBack: (_, name, range, delayMs) => this.#branch(name).giveBack(range, delayMs),
      process: async (_, number, topic, group, module, settings, filter) => {
        engine.checkWritable()
        const processor = groupOf(topic, group, filter).process(module, { ...settings, signal: undefined })
        return this.#processors.add(number, processor)
      },
      finished: (_, number) =>
        this.#processors.ask(number, (processor) => processor.finished).finally(() => this.#processors.noteEnd(number)),
      pause: (_, number) => this.#processors.ask(number, (processor) => processor.pause()),
      resume: (_, number) => this.#processors.ask(number, (processor) => processor.resume()),
      idle: (_, number) => this.#processors.ask(number, (processor) => processor.idle()),
      stop: (_, number) => this.#processors.ask(number, (processor) => processor.stop()),
    }
  }

  /** It may change at every await. */
  #isOver(): boolean {
    return this.#stage === 'ended'
  }

  #branch(name: DeskName): DeskBranch {
    const { topic, group } = name
    // Names have no slashes.
    const key = `${topic}/${group}`
    let branch = this.#branches.get(key)
    if (branch === undefined) {
      const party = this.#party
      branch = new DeskBranch(this.#host.engine.topic(topic).group(group).desk, {
        given: (number, lease) => party.tell('given', name, number, lease),
        nothing: (number) => party.tell('nothing', name, number),
        failed: (number, error) => party.tell('refused', name, number, toPortable(error)),
        changed: (state) => party.tell('changed', name, state),
        whenThere: () => party.call('isThere'),
        withdrawn: (first, end) => party.tell('withdrawn', name, first, end),
      })
      this.#branches.set(key, branch)
    }
    return branch
  }
}
