/**
 * Power cuts on the simulated disk: chains of three crashes, each page or 512-byte sector that was not flushed absent, in between
 * or present, names missing. Must: a gap-free prefix with everything durable, byte for byte.
 *
 * Mutants it catches: acknowledges before the flush, does not flush the directory, deletes before the trim position is durable,
 * does not zero a torn tail, keeps half a group, opens without a flush, states a feature without a flush.
 */
import { stateAndCut } from '../support/feature-words.js'
import { emptyTally, liveAndCut } from '../support/life.js'
import { reopenAndCut } from '../support/reopening.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

const imagesPerGeneration = 60

export const powerCut: Fault = {
  name: 'power-cut',
  isRoot: false,
  weight: 60,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('power cut, simulated disk')
    const tally = emptyTally()
    for (let life = 0; context.more(tally.images, 10_000) && row.failures.length < 10; life++) {
      const seed = context.seed * 100_000 + life
      // Every fourth on a machine that was not restarted, only its file system.
      const isSameBoot = life % 4 === 3
      const mutant = { isUniform: life % 5 === 4, retains: life % 5 === 2 }
      const images = mutant.isUniform ? imagesPerGeneration / 4 : imagesPerGeneration
      await liveAndCut(seed, mutant, images, isSameBoot, tally).catch((error) => row.failures.push(messageOf(error)))
    }
    row.runs = tally.images
    row.acknowledged = tally.durable
    row.lost = 0
    row.wrong = 0
    row.note = `${tally.torn} torn tails, ${tally.rolls} rolls, ${tally.deletions} deletions, ${tally.moves} moves`
    const reopened = emptyRow('power cut behind an open')
    for (let life = 0; context.more(life, 400) && reopened.failures.length < 10; life++) {
      try {
        reopened.runs += reopenAndCut(context.random(life))
      } catch (error) {
        reopened.failures.push(messageOf(error))
      }
    }
    const words = emptyRow('power cut while feature words change')
    for (let life = 0; context.more(life, 200) && words.failures.length < 10; life++) {
      try {
        words.runs += stateAndCut(context.random(1_000_000 + life))
      } catch (error) {
        words.failures.push(messageOf(error))
      }
    }
    return [row, reopened, words]
  },
}
