/**
 * Power cuts while everything is at work that decides and finds, on the simulated disk: conditions, transactions of messages, a register and acknowledgements, journals that are
 * taken over and trimmed, side indexes, of which nothing is ever flushed. Must: what was written at one moment is there as a whole or not at all, with what it
 * acknowledges; a condition is judged by what is there; and by key and header that is found which is there, whatever is left of side indexes.
 *
 * Mutants it catches: trims a journal before the file holds it for good, writes acknowledgements outside of transactions past the journal, commits nothing.
 */
import { decideAndCut, emptyDecidingTally } from '../support/deciding-lives.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

const imagesEach = 60

export const decisions: Fault = {
  name: 'decisions',
  isRoot: false,
  weight: 30,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('power cut with conditions, transactions and side indexes at work')
    const tally = emptyDecidingTally()
    for (let life = 0; context.more(tally.images, 10_000) && row.failures.length < 10; life++)
      await decideAndCut(context.seed * 100_000 + life, imagesEach, tally).catch((error) =>
        row.failures.push(messageOf(error)),
      )
    row.runs = tally.images
    row.lost = 0
    row.wrong = 0
    // What never happens proves nothing.
    const { indexed, unindexed, ...decided } = tally
    for (const [what, count] of Object.entries(decided)) if (count === 0) row.failures.push(`there were no ${what}`)
    row.note = `${tally.entries} moments, ${tally.conflicts} conflicts, ${tally.transacted} transactions, ${tally.committed} commits, ${indexed} side indexes left, ${unindexed} not`
    return [row]
  },
}
