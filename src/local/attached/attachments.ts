/** The threads that are attached to a log, or may be: those that a port was handed out for. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { type Waiter, wakes } from '../../dispatcher/watch.js'
import type { Durability, LogPort } from '../../engine/terms.js'
import { PortWord } from '../../ring/port-word.js'
import type { OpenedLog } from '../../threads/protocol.js'
import type { SharedMemory } from '../../threads/shared-memory.js'
import type { Lanes } from '../lanes.js'
import type { LogEvents } from '../log-events.js'
import { Attachment, type AttachmentHost, type OwnerEngine } from './attachment.js'
import { markedPort } from './log-port.js'
import type { Grant } from './protocol.js'

export interface AttachmentsParts {
  readonly engine: OwnerEngine
  readonly events: Pick<LogEvents, 'error'>
  readonly shared: SharedMemory
  readonly opened: OpenedLog
  readonly lanes: Pick<Lanes, 'open' | 'ended'>
  flushGroups(level: Durability): Promise<void>
}

export class Attachments implements Waiter {
  readonly #parts: AttachmentsParts
  readonly #host: AttachmentHost
  readonly #all = new Set<Attachment>()

  constructor(parts: AttachmentsParts) {
    const { engine, events, lanes, flushGroups } = parts
    this.#parts = parts
    this.#host = {
      ...{ engine, flushGroups, checkOpen: () => engine.checkOpen() },
      grant: () => this.#grant(),
      revoke: ({ lane }) => lanes.ended(lane.lane),
      onUnused: () =>
        events.error('BOOKEND_WORKER', 'a thread that was given a port of the log has ended without connect()'),
    }
  }

  /** @throws `BOOKEND_CLOSED` */
  async port(): Promise<LogPort> {
    this.#parts.engine.checkOpen()
    const { port1, port2 } = new MessageChannel()
    const word = new PortWord()
    this.#attach(port1, word, this.#host)
    return markedPort(port2, word)
  }

  /** Each settles what is its own, and leaves. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((attachment) => attachment.close()))
  }

  settle(): void {}

  wakesAt(): number {
    return wakes.never
  }

  /** Their appends will not be written any more, either. */
  refuse(error: Error): void {
    for (const attachment of this.#all) attachment.fail(error)
  }

  #attach(port: MessagePort, word: PortWord, host: AttachmentHost): void {
    const attachment: Attachment = new Attachment(port, word, host, () => this.#all.delete(attachment))
    this.#all.add(attachment)
  }

  async #grant(): Promise<Grant> {
    const { engine, shared, opened, lanes } = this.#parts
    const { id, segmentBytes, io, footers, epoch, tornBytes, damages } = opened
    const log = { shared, id, segmentBytes, io, footers, epoch, tornBytes, damages }
    return { ...log, facts: engine.facts, lane: await lanes.open() }
  }
}
