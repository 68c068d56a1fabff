/**
 * A scan module: where the latest message of every key stands; for the keys that fit, and then for others. A thread puts all that it is given of a
 * scan into one table, whatever ranges it has got hold of: which of two messages is the latest, their offsets say.
 */
import { partsOf } from './chunk-cursor.js'
import { addLatest, type LatestKeys, latestKeys, latestOffsets } from './latest-keys.js'
import { LatestPuts } from './latest-puts.js'
import type { RecordBatch } from './message-batch.js'
import { isTombstone } from './tombstone.js'

/** One for each thread that takes part in a scan. */
export interface LatestArgument {
  /** Keys whose hash is below were looked for before. */
  readonly from: number
}

/** What it comes to. */
export interface LatestPart {
  /** Ascending. */
  readonly offsets: Float64Array
  /** Keys whose hash is from here on are still to be looked for. */
  readonly below: number
}

const tables = new WeakMap<LatestArgument, { readonly table: LatestKeys; readonly puts: LatestPuts }>()
/** Those that each has taken in. */
const taken = new WeakMap<LatestKeys, WeakSet<LatestKeys>>()

export function map(batch: RecordBatch<unknown>, argument: LatestArgument): LatestKeys {
  let own = tables.get(argument)
  if (own === undefined) {
    const table = latestKeys(argument.from)
    own = { table, puts: new LatestPuts(table) }
    tables.set(argument, own)
  }
  const { table, puts } = own
  batch.visit(({ bytes, words, frame, offset }) => {
    const parts = partsOf(words, frame)
    const { keyStart, keyEnd } = parts
    if (keyStart >= 0) puts.put(bytes, keyStart, keyEnd, offset, isTombstone(bytes, parts))
  })
  puts.flush()
  return table
}

export function reduce(a: LatestKeys, b: LatestKeys): LatestKeys {
  let others = taken.get(a)
  if (others === undefined) {
    others = new WeakSet([a])
    taken.set(a, others)
  }
  if (!others.has(b)) addLatest(a, b)
  others.add(b)
  return a
}

export function finish(table: LatestKeys): LatestPart {
  return { offsets: latestOffsets(table), below: table.below }
}
