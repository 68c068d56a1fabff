import { openStore } from '../contenders/catalogue.js'
import type { StoreOptions } from '../contenders/contender.js'
import type { Job, Outcome } from '../job.js'
import { Resources } from '../resources.js'
import { able } from './append.js'

/** Opens a store until the last message can be read, and makes sure that it holds what was acknowledged. */
export async function measureOpen(job: Job, options: StoreOptions): Promise<Outcome> {
  const resources = new Resources()
  const store = await openStore(job.contender, options)
  const openMs = resources.since(1).seconds! * 1000
  const count = await able(store.count, 'count').call(store)
  const last = await able(store.get, 'lookups').call(store, job.messages - 1)
  const cost = resources.since(1)
  if (count !== job.messages || last?.length !== job.messageBytes) {
    throw new Error(
      `the store holds ${count} messages, written were ${job.messages}; the last has ${last?.length} bytes`,
    )
  }
  await store.close()
  return { figures: { openMs, firstReadMs: cost.seconds! * 1000, ...cost } }
}
