import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { ContenderName } from '../contenders/catalogue.js'
import type { StoreOptions } from '../contenders/contender.js'
import { type Done, type Enlistment, type Order, phases, phaseWord, type Report, settledWord } from './orders.js'
import { type SharedStore, share } from './shared-store.js'

const memberModule = new URL('./member.js', import.meta.url)

/** Threads that work on one store, each of which got in for itself. */
export class Crew {
  readonly #store: SharedStore
  readonly #members: readonly Worker[]
  readonly #words: Int32Array

  private constructor(store: SharedStore, members: readonly Worker[], words: Int32Array) {
    this.#store = store
    this.#members = members
    this.#words = words
  }

  /** Resolves when all threads are there. */
  static async gather(contender: ContenderName, options: StoreOptions, size: number): Promise<Crew> {
    const store = await share(contender, options)
    const words = new Int32Array(new SharedArrayBuffer(8))
    const members: Worker[] = []
    for (let index = 0; index < size; index++) {
      const { pass, transferList } = await store.entry()
      members.push(
        new Worker(memberModule, {
          workerData: { contender, pass, words } satisfies Enlistment,
          transferList: [...transferList],
        }),
      )
    }
    await Promise.all(members.map(reportOf))
    return new Crew(store, members, words)
  }

  /** Gives everybody the same order; resolves when the last is done. */
  all(order: Order): Promise<Done[]> {
    this.#begin()
    return Promise.all(this.#members.map((member) => command(member, order)))
  }

  /** Gives each an order of its own. */
  each(orders: readonly Order[]): Promise<Done>[] {
    this.#begin()
    return this.#members.map((member, index) => command(member, orders[index]!))
  }

  enter(phase: keyof typeof phases): void {
    Atomics.store(this.#words, phaseWord, phases[phase])
    Atomics.notify(this.#words, phaseWord)
  }

  async close(): Promise<void> {
    await this.all({ work: 'leave' })
    await this.#store.close()
  }

  #begin(): void {
    Atomics.store(this.#words, phaseWord, phases.begun)
    Atomics.store(this.#words, settledWord, 0)
  }
}

function command(member: Worker, order: Order): Promise<Done> {
  const done = reportOf(member)
  member.postMessage(order)
  return done
}

async function reportOf(member: Worker): Promise<Done> {
  const [report] = (await once(member, 'message')) as [Report]
  if ('failure' in report) throw new Error(report.failure)
  return report
}
