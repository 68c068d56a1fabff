/** The records of `.later` from an offset on, as places in the order; what cannot be read is passed over, and told. */
import type { EngineTopic } from '../engine/engine.js'
import type { DueEntry } from './due-order.js'
import { isDamage } from './due-run.js'
import { entryOf } from './later-record.js'

export type OnDamage = (error: unknown) => void

export async function* entriesFrom(
  later: Pick<EngineTopic, 'bounds' | 'read'>,
  tail: number,
  onDamage: OnDamage,
): AsyncGenerator<DueEntry> {
  const { first, next: to } = await later.bounds()
  let from = Math.max(tail, first)
  while (from < to) {
    const reader = later.read({ from, to, follow: false })
    try {
      for (let cursor = await reader.next(); cursor !== undefined; cursor = await reader.next())
        while (cursor.next()) {
          from = cursor.offset + 1
          const entry = entryOf(cursor)
          if (entry !== undefined) yield entry
        }
      return
    } catch (error) {
      if (!isDamage(error)) throw error
      onDamage(error)
      from = Math.max(from, error.next ?? to)
    } finally {
      reader.close()
    }
  }
}
