/**
 * Side indexes of some of the segments of small random logs: whole ones, then cut off, changed, of another segment or another log, or made by somebody
 * who knew less; and entries whose tags have rotted. Keys, headers and times are looked for, and what is found is held against a plain look at everything. Must: no
 * message is missed, none is there that was not asked for.
 *
 * Mutants it catches: believes pages, an index of another segment, one that does not go as far as its segment, a hash for a key, times of the batch before, tags that are not summed up.
 */
import { entryBytes } from '../../src/format/segment-layout.js'
import { disagreements, type KeyedLog, keyedLog, putSideIndex, spoil } from '../support/side-indexed-log.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

const all = { keys: true, headers: ['type', 'shop'] }

export const sideIndexes: Fault = {
  name: 'side-indexes',
  isRoot: false,
  weight: 10,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('side indexes that are wrong')
    for (let script = 0; context.more(script, 60) && row.failures.length < 10; script++) {
      row.runs += 1
      try {
        row.failures.push(...(await tryOne(context, script)))
      } catch (error) {
        row.failures.push(`script ${script}: ${messageOf(error)}`)
      }
    }
    return [row]
  },
}

async function tryOne(context: Context, script: number): Promise<string[]> {
  const random = context.random(script)
  const made = keyedLog(random, 3_000)
  const { world, log } = made
  await log.index()
  const sealed = log.files.segmentOf(log.indexed)
  const segments = Array.from({ length: sealed }, (_, segment) => segment)
  for (const segment of segments) await putSideIndex(made, segment, all)
  const whole = segments.map((segment) => world.disk.bytes(log.files.sidePath(segment)).slice())
  const wrong = await disagreements(random, made, 3)
  const stranger = keyedLog(context.random(script + 1_000_000), 2_000)
  await stranger.log.index()
  await putSideIndex(stranger, 0, all)
  const foreign = stranger.world.disk.bytes(stranger.log.files.sidePath(0)).slice()
  const done = segments.map((segment) =>
    spoil(random, made, segment, [...whole.filter((_, each) => each !== segment), foreign]),
  )
  wrong.push(...(await disagreements(random, made, 6)))
  // Nobody has looked at its entries yet.
  stranger.world.disk.remove(stranger.log.files.sidePath(0))
  rotTags(random.below(3), stranger)
  wrong.push(...(await disagreements(random, stranger, 3)))
  return wrong.map((what) => `script ${script}, side indexes that are ${done.join(', ')}: ${what}`)
}

/** Of one entry in three, in the first segment. */
function rotTags(first: number, { world, log }: KeyedLog): void {
  // Footers are read with the first question.
  if (log.catalog.sealedFrom(0, 0)?.segment !== 0) throw new Error('the first segment is sealed')
  const footer = log.catalog.footerOf(0)
  if (footer === undefined) throw new Error('a sealed segment has its footer')
  const bytes = world.disk.bytes(log.path(0))
  for (let entry = first; entry < footer.records; entry += 3) bytes[footer.entriesAt + entry * entryBytes + 14] ^= 4
}
