/** The processors that a thread has started which does not own the log. They end before it leaves. */
import type { KeepAlive } from '../../dispatcher/keep-alive.js'
import type { EngineProcessor, ProcessSettings } from '../../engine/group-seat.js'
import type { Filter } from '../../engine/terms.js'
import type { OwnerParty, ProcessorView } from './protocol.js'
import { RemoteProcessor } from './remote-processor.js'

export class RemoteProcessors {
  readonly #owner: OwnerParty
  readonly #keepAlive: KeepAlive
  readonly #running = new Map<number, RemoteProcessor>()
  #count = 0

  constructor(owner: OwnerParty, keepAlive: KeepAlive) {
    this.#owner = owner
    this.#keepAlive = keepAlive
  }

  start(
    topic: string,
    group: string,
    module: string,
    settings: ProcessSettings,
    filter: Filter | undefined,
  ): EngineProcessor {
    const number = this.#count++
    const processor = new RemoteProcessor({ owner: this.#owner, number, topic, group, module, settings, filter })
    this.#running.set(number, processor)
    void this.#keepAlive
      .during(processor.finished)
      .catch(() => {})
      .finally(() => this.#running.delete(number))
    return processor
  }

  /** What the owner says of one of them. */
  note(number: number, view: ProcessorView): void {
    this.#running.get(number)?.note(view)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.values()].map((processor) => processor.stop().catch(() => {})))
  }
}
