/**
 * Owners that are killed in the middle of a write, lose their power, trim and come again, and followers that hear and look at any moment, the short
 * way and the long one, all of them in one thread. Must: no follower knows more than its owner, or shows what the next one cuts; what is told is
 * known; in the end nothing is missing.
 *
 * Mutants it catches: a bell without an owner; a bell of another epoch; the bell of before a power cut; trims that are not heard; a torn end that is believed;
 * by the short way: trims that are passed over, topics that nobody has named.
 */
import { FollowedLog } from '../support/followed-log.js'
import { Seeded } from '../support/seeded.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

const steps = 120
const lives = 100
const mostFailures = 10

export const followers: Fault = {
  name: 'followers',
  isRoot: false,
  weight: 10,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('owners killed, cut off and come again, and their followers')
    row.wrong = 0
    let trims = 0
    let shortWays = 0
    for (let run = 0; context.more(run, lives) && row.failures.length < mostFailures; run++) {
      row.runs += 1
      const seed = context.seed * 1_000_000 + run
      try {
        const log = new FollowedLog(new Seeded(seed), undefined)
        for (let step = 0; step < steps; step++) await log.step()
        await log.settle()
        trims += log.trimsHeard
        shortWays += log.shortWays
      } catch (error) {
        row.wrong += 1
        row.failures.push(`seed ${seed}: ${messageOf(error)}`)
      }
    }
    row.note = `${trims} trims heard, ${shortWays} times taken in by the application's thread`
    return [row]
  },
}
