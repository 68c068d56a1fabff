/** Subscriptions in the log: a topic of records, from which they are made anew, and which is written anew when most of it is of the past. */
import type { Log } from '../../log/log.js'
import type { Topic } from '../../log/topic.js'
import type { Transaction } from '../../log/transaction.js'
import { json } from '../../messages/codec.js'
import { subscriptionTopic } from '../stream-names.js'
import { newSecrets, type StoredSecrets } from './secrets.js'
import { StreamSubscription, type SubscriptionRecord } from './subscription.js'

type StoredRecord = SubscriptionRecord | { readonly secrets: StoredSecrets }

const spareRecords = 10_000
/** Links in one record. */
const linksEach = 1_000

export class SubscriptionStore {
  readonly #log: Log
  readonly #records: Topic<StoredRecord>
  readonly #all = new Map<string, StreamSubscription>()
  #secrets: Promise<StoredSecrets> | undefined
  #count = 0
  readonly #underWay = new Set<Promise<void>>()
  #packing: Promise<void> | undefined

  constructor(log: Log) {
    this.#log = log
    this.#records = log.topic(subscriptionTopic, { codec: json<StoredRecord>() })
  }

  get all(): ReadonlyMap<string, StreamSubscription> {
    return this.#all
  }

  /** Once, before anything else. */
  async load(): Promise<void> {
    this.#all.clear()
    for await (const { keyText: id = '', value } of this.#records.read()) {
      this.#count += 1
      if ('secrets' in value) this.#secrets = Promise.resolve(value.secrets)
      else this.#apply(id, value)
    }
  }

  /** Made when they are first needed, and kept. */
  secrets(): Promise<StoredSecrets> {
    this.#secrets ??= this.#makeSecrets().catch((error) => {
      this.#secrets = undefined
      throw error
    })
    return this.#secrets
  }

  async #makeSecrets(): Promise<StoredSecrets> {
    const secrets = newSecrets()
    await this.#records.append({ secrets })
    return secrets
  }

  /**
   * The change is known when it is in the log. Those of one subscription come one after the other.
   * @param also what is to be written at the same moment
   */
  async write(id: string, change: SubscriptionRecord, also?: (tx: Transaction) => void): Promise<void> {
    while (this.#packing !== undefined) await this.#packing
    const written = this.#write(id, change, also)
    this.#underWay.add(written)
    try {
      await written
    } finally {
      this.#underWay.delete(written)
    }
    if (this.#count > spareRecords + 2 * this.#all.size) this.#pack()
  }

  async #write(id: string, change: SubscriptionRecord, also?: (tx: Transaction) => void): Promise<void> {
    if (also === undefined) await this.#records.append(change, { key: id })
    else
      await this.#log.transaction((tx) => {
        tx.append(this.#records, change, { key: id })
        also(tx)
      })
    this.#count += 1
    this.#apply(id, change)
  }

  #apply(id: string, change: SubscriptionRecord): void {
    if (change.deleted === true) {
      this.#all.delete(id)
      return
    }
    let subscription = this.#all.get(id)
    if (subscription === undefined) {
      if (change.head === undefined) return
      subscription = new StreamSubscription(id, change.head)
      this.#all.set(id, subscription)
    }
    subscription.apply(change)
  }

  /** Nothing is written meanwhile: what is known is all that there is. */
  #pack(): void {
    this.#packing ??= this.#writeAnew()
      // Tried again when there is as much to be spared again.
      .catch(() => {})
      .finally(() => {
        this.#packing = undefined
      })
  }

  async #writeAnew(): Promise<void> {
    await Promise.allSettled(this.#underWay)
    this.#count = 0
    const { next: before } = await this.#records.bounds()
    const written: Promise<unknown>[] = []
    const secrets = await this.#secrets
    if (secrets !== undefined) written.push(this.#records.append({ secrets }))
    for (const { id, head, links } of this.#all.values()) {
      const all = [...links]
      for (let at = 0; at === 0 || at < all.length; at += linksEach) {
        const record = { ...(at === 0 && { head }), links: all.slice(at, at + linksEach) }
        written.push(this.#records.append(record, { key: id }))
      }
    }
    await Promise.all(written)
    // Behind all of them: until then what was there before counts.
    await this.#records.trim(before)
    this.#count = written.length
  }
}
