/** What is measured of writes under conditions, and of transactions. */
import { type StoreOptions, valueAt } from '../contenders/contender.js'
import type { Job, Outcome } from '../job.js'
import { measured } from '../resources.js'
import { makeValues } from '../values.js'
import { warmUp } from '../warm-up.js'
import { type ConditionalWrites, type ConditionKind, openConditionStore } from './condition-store.js'

/** A thousand callers, each of which awaits its write before the next; and the same without a condition in the same process. */
export async function measureConditions(job: Job, options: StoreOptions, kind: ConditionKind): Promise<Outcome> {
  const store = await openConditionStore(job, options)
  const values = makeValues(job.messageBytes)
  const measure = async (writes: ConditionalWrites) => {
    const pass = () => flight(writes, job, values)
    const first = await warmUp(job, job.messages, async () => {
      await writes.prepare?.(job.messages, values)
      await pass()
    })
    await writes.prepare?.(job.messages, values)
    return { ...(await measured(job.messages, job.messageBytes, pass)), ...first }
  }
  const plain = await measure(store.plain)
  const writes = store[kind]
  if (writes === undefined) throw new Error(`${job.contender} has no such condition`)
  const figures = await measure(writes)
  await store.close()
  const plainPerSecond = plain.messagesPerSecond!
  return { figures: { ...figures, plainPerSecond, rateOverPlain: figures.messagesPerSecond! / plainPerSecond } }
}

async function flight(writes: ConditionalWrites, { messages, parameter }: Job, values: readonly Uint8Array[]) {
  const before = await writes.written()
  let next = 0
  const caller = async () => {
    while (next < messages) await writes.write(valueAt(values, next++))
  }
  await Promise.all(Array.from({ length: parameter }, caller))
  const written = (await writes.written()) - before
  if (written !== messages) throw new Error(`${written} of ${messages} were written`)
}
