/**
 * Segments written anew without what nobody needs of them. First with the power cut at every step of it, on the simulated disk; then
 * under readers who have the old files, or their indexes, in hand: small random logs of two topics, of which one loses its messages bit by
 * bit, while keys, headers and offsets of the other are looked for. Must: whatever file a reader meets, it finds what a plain look at
 * everything finds.
 *
 * Mutants it catches: a file that takes the name of a segment unflushed, one that states no first readable offset, an index believed of a
 * file that is another by now, records that go although they are kept.
 */
import { emptyTally, liveAndCut } from '../support/life.js'
import { rewriteSegment } from '../support/rewriting.js'
import type { Seeded } from '../support/seeded.js'
import { disagreements, type KeyedLog, keyedLog, putSideIndex } from '../support/side-indexed-log.js'
import { StorageLog } from '../support/storage-log.js'
import { simulatedWorld } from '../support/worlds.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

const dropped = 1

export const rewrites: Fault = {
  name: 'rewrites',
  isRoot: false,
  weight: 20,
  async run(context: Context): Promise<Row[]> {
    const cuts = emptyRow('power cut while segments are written anew')
    const tally = emptyTally()
    for (let life = 0; context.more(tally.images, 2_000) && cuts.failures.length < 10; life++) {
      const seed = context.seed * 100_000 + life
      await liveAndCut(seed, { reclaims: true, packs: life % 2 === 1 }, 60, life % 4 === 3, tally).catch((error) =>
        cuts.failures.push(messageOf(error)),
      )
    }
    cuts.runs = tally.images
    cuts.acknowledged = tally.durable
    cuts.note = `${tally.rewrites} segments written anew, ${tally.packs} packed`
    const reads = emptyRow('readers while segments are written anew')
    for (let script = 0; context.more(script, 60) && reads.failures.length < 10; script++) {
      try {
        reads.runs += await readMeanwhile(context.random(script), `script ${script}`, reads.failures)
      } catch (error) {
        reads.failures.push(`script ${script}: ${messageOf(error)}`)
      }
    }
    return [cuts, reads]
  },
}

/** @returns how many segments were written anew */
async function readMeanwhile(random: Seeded, name: string, failures: string[]): Promise<number> {
  const made: KeyedLog = keyedLog(random, 3_000)
  const { log } = made
  await log.index()
  const sealed = log.files.segmentOf(log.indexed)
  const ends = Array.from({ length: sealed }, (_, segment) => {
    const stretches = log.catalog.stretches(dropped, 0, Number.MAX_SAFE_INTEGER)
    return stretches.find((each) => each.segment === segment)?.end ?? 0
  })
  let first = 0
  const look = async (looks: number) => {
    const wrong = await disagreements(random, made, looks)
    failures.push(...wrong.map((what) => `${name}: ${what}`))
  }
  await look(2)
  const turns = 6
  for (let turn = 0; turn < turns; turn++) {
    const segment = random.below(sealed)
    const held = random.chance(0.3) ? log.readWindows.acquire(segment) : undefined
    first = Math.max(first, Math.min(ends[segment], first + random.below(80)))
    await rewriteSegment(log, segment, new Map([[dropped, { offset: first, readable: first }]]))
    if (random.chance(0.5)) await putSideIndex(made, segment, { keys: true, headers: ['type', 'shop'] })
    await look(2)
    if (held !== undefined) log.readWindows.release(segment)
    if (random.chance(0.5)) log.readWindows.closeAll()
    await look(2)
  }
  // The next owner knows where the topic begins, by what the files say.
  const again = new StorageLog(simulatedWorld(made.world.disk.copy()))
  const found = again.recovered.topics.find(({ id }) => id === dropped)?.first
  if (found !== first) failures.push(`${name}: the next owner finds the topic to begin at ${found}, not ${first}`)
  return turns
}
