/**
 * Other threads of the application, in one thread: those that consume a group whose books are elsewhere, and end at any moment, with every word
 * between them and the books on its way; handlers that append, fail and die. Must: no message is lost, with two at a time, or comes again after
 * its acknowledgement was answered; what counts as done has been followed by what its handler has appended.
 *
 * Mutants it catches: a lease that is told after the death of who asked for it, what a thread held and nobody gives back, an acknowledgement
 * that is told before it is written, messages that count as done before what was appended for them is written.
 */
import { watchDesks } from '../support/desk-lives.js'
import { watchHandlerAppends } from '../support/handler-calls.js'
import type { Seeded } from '../support/seeded.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

const lives = 200
const mostFailures = 10

export const attached: Fault = {
  name: 'attached',
  isRoot: false,
  weight: 8,
  async run(context: Context): Promise<Row[]> {
    return [
      await row(context, 'threads that consume elsewhere, and end', 5_000_000, watchDesks),
      await row(context, 'handlers that append, fail and die', 6_000_000, watchHandlerAppends),
    ]
  },
}

async function row(
  context: Context,
  what: string,
  salt: number,
  watch: (random: Seeded) => Promise<number>,
): Promise<Row> {
  const row = emptyRow(what)
  for (let life = 0; context.more(life, lives) && row.failures.length < mostFailures; life++)
    row.runs += await watch(context.random(salt + life)).catch((error) => {
      row.failures.push(messageOf(error))
      return 0
    })
  return row
}
