/**
 * Another thread's step at every place where one could come, one after the other, in one thread: behind each store of the writer
 * somebody reads what it has published, and behind each touch of a shared word something comes that the writer, about to sleep, has to see
 * to. The clock goes back now and then. And writes break off half way. Must: what is published can be read, times never go back, what a flush
 * answers is on the device, nobody sleeps on what is there; a crash behind a broken write finds a prefix, in whole groups, without damage.
 *
 * Mutants it catches: topics published before the position, times that go back, a publish that wakes nobody, followers that are told before it is published, or after it is acknowledged, a flush that answers with what is
 * published by then, or with heads that are ahead of its position, a token that is taken behind the
 * looks, sleep that is not announced; conditions and versions that nobody judges, keys that are forgotten in silence, a key that is looked up as of behind the look, refused messages that stay, ids that are forgotten with the process, numbers that are written apart from their messages; remains of a broken write, half a group that is not taken back.
 */
import { breakWrites } from '../support/broken-writes.js'
import { watchFlushing } from '../support/flushing.js'
import { watchGuards } from '../support/guarded-threads.js'
import { tryEveryPlace } from '../support/interleaving.js'
import { judgeTogether } from '../support/judged-together.js'
import { raceForVersions, watchKeys } from '../support/key-versions.js'
import { watchLanes, watchNaming } from '../support/lane-world.js'
import { liveWithIds } from '../support/named-messages.js'
import { watchPublishing } from '../support/publishing.js'
import { writerRaces } from '../support/racing-writer.js'
import { liveAtOnce } from '../support/written-at-once.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

export const races: Fault = {
  name: 'races',
  isRoot: false,
  weight: 15,
  async run(context: Context): Promise<Row[]> {
    const published = emptyRow('a reader behind every store of the writer')
    for (let script = 0; context.more(script, 60) && published.failures.length < 10; script++) {
      const looks = await watchPublishing(context.random(script)).catch((error) => {
        published.failures.push(messageOf(error))
        return 0
      })
      published.runs += looks
    }
    const flushed = emptyRow('flushes, and the other thread behind every touch')
    for (let script = 0; context.more(script, 60) && flushed.failures.length < 10; script++) {
      const looks = await watchFlushing(context.random(2_000_000 + script)).catch((error) => {
        flushed.failures.push(messageOf(error))
        return 0
      })
      flushed.runs += looks
    }
    const lanes = emptyRow('threads that append and end behind every touch of the writer')
    for (let script = 0; context.more(script, 200) && lanes.failures.length < 10; script++) {
      const random = context.random(3_000_000 + script)
      const runs = await watchLanes(random)
        .then(async (messages) => messages + (await watchNaming(random)))
        .catch((error) => {
          lanes.failures.push(messageOf(error))
          return 0
        })
      lanes.runs += runs
    }
    const guarded = emptyRow('conditions of several threads, and power cuts')
    for (let script = 0; context.more(script, 60) && guarded.failures.length < 10; script++) {
      guarded.runs += await watchGuards(context.random(4_000_000 + script)).catch((error) => {
        guarded.failures.push(messageOf(error))
        return 0
      })
    }
    const together = emptyRow('conditions of every kind, judged together, on a disk that is full at times')
    for (let script = 0; context.more(script, 60) && together.failures.length < 10; script++) {
      together.runs += await judgeTogether(context.random(8_000_000 + script)).catch((error) => {
        together.failures.push(messageOf(error))
        return 0
      })
    }
    const named = emptyRow('messages with ids, over kills and power cuts')
    for (let script = 0; context.more(script, 30) && named.failures.length < 10; script++) {
      named.runs += await liveWithIds(context.random(5_000_000 + script)).catch((error) => {
        named.failures.push(messageOf(error))
        return 0
      })
    }
    const atOnce = emptyRow('transactions, over kills and power cuts')
    for (let script = 0; context.more(script, 30) && atOnce.failures.length < 10; script++) {
      atOnce.runs += await liveAtOnce(context.random(6_000_000 + script)).catch((error) => {
        atOnce.failures.push(messageOf(error))
        return 0
      })
    }
    const versions = emptyRow('versions of keys, looked up and expected side by side')
    for (let script = 0; context.more(script, 60) && versions.failures.length < 10; script++) {
      const random = context.random(7_000_000 + script)
      versions.runs += await raceForVersions(random)
        .then((written) => written + watchKeys(random))
        .catch((error) => {
          versions.failures.push(messageOf(error))
          return 0
        })
    }
    const asleep = emptyRow('a writer about to sleep, at every place')
    for (const [what, prepare] of Object.entries(writerRaces)) {
      const { places, sleptOver } = await tryEveryPlace(prepare)
      asleep.runs += places
      if (sleptOver.length > 0) asleep.failures.push(`${what}: not if it comes at places ${sleptOver} of ${places}`)
    }
    const broken = emptyRow('writes that break off, and a crash behind each step')
    for (let script = 0; context.more(script, 30) && broken.failures.length < 10; script++) {
      try {
        broken.runs += breakWrites(context.random(1_000_000 + script))
      } catch (error) {
        broken.failures.push(messageOf(error))
      }
    }
    return [published, flushed, lanes, guarded, together, named, atOnce, versions, asleep, broken]
  },
}
