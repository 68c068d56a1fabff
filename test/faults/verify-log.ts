/** Opens a log that `programs/writer.mjs` has worked on, reads all of it and compares every byte. */
// @ts-expect-error: plain JavaScript, shared with programs
import { packable, payload } from '../../../test/fixtures/payload.mjs'
import { BookendError, open } from '../../src/index.js'

export interface Verified {
  first: number
  /** Length of the gap-free run from `first` on. */
  records: number
  wrong: number
  duplicates: number
  /** Where the group of consumers of the first topic stands. */
  committed: number
  damages: number
  tornBytes: number
  openMs: number
  problem?: string
}

export async function verifyLog(directory: string, isReadOnly = false): Promise<Verified> {
  const started = performance.now()
  const log = await open(directory, { readers: 1, readOnly: isReadOnly })
  const openMs = performance.now() - started
  const { recovery } = log.stats()
  const found: Verified = {
    first: 0,
    records: 0,
    wrong: 0,
    duplicates: 0,
    committed: 0,
    damages: recovery.damages.length,
    tornBytes: recovery.tornBytes,
    openMs,
  }
  try {
    found.committed = (await log.topic('numbers').group('workers').position()).committed
    for (const name of await log.topics()) {
      const topic = log.topic(name)
      const { first, next } = await topic.bounds()
      const isMain = name === 'numbers'
      if (isMain) found.first = first
      let expected = first
      let groupEnd = 0
      for await (const batch of topic.read({ from: first }).batches()) {
        for (const { offset, value, headers } of batch) {
          if (offset !== expected) throw new Error(`${name}: offset ${offset} in the place of ${expected}`)
          expected += 1
          if (headers?.group !== undefined) {
            const [start, count] = headers.group.split('+').map(Number)
            groupEnd = start + count
          }
          const wanted: Uint8Array =
            name === 'text' ? packable(offset, value.length) : payload(offset, isMain ? undefined : value.length)
          if (Buffer.compare(wanted, value) === 0) continue
          // The first eight bytes say which message this is.
          const claimed = value.length < 8 ? -1 : new DataView(value.buffer, value.byteOffset).getFloat64(0, true)
          if (Number.isSafeInteger(claimed) && claimed >= 0 && claimed < offset) found.duplicates += 1
          else found.wrong += 1
        }
      }
      if (expected !== next) found.problem = `${name}: read up to ${expected}, bounds say ${next}`
      if (groupEnd > expected) found.problem = `${name}: half a group at the end`
      if (isMain) found.records = expected - first
    }
  } catch (error) {
    found.problem = error instanceof BookendError ? `${error.code} ${error.message}` : String(error)
  } finally {
    await log.close()
  }
  return found
}
