/**
 * Small random logs with one to four accidents in their segments, read in every way as they are and after a repair: each message by itself,
 * many at once, from memory as the application's thread does it, streams, scans, consumers, processors with a dead-letter topic, and what `verify` says. Must: what `get` delivers nobody
 * passes over, what is lost everybody reports.
 *
 * Mutants it catches: goes on in the next segment behind a lost message, gives up what stands behind a segment that is gone, reads
 * from memory without a checksum, takes what an index leads to for the message that was asked for.
 */
import { agreementOf } from '../support/damaged-logs.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

export const agreement: Fault = {
  name: 'agreement',
  isRoot: false,
  weight: 40,
  async run(context: Context): Promise<Row[]> {
    const row = emptyRow('damaged and repaired logs read in every way')
    let messages = 0
    let lost = 0
    // Logs of other seeds are other logs: a thousand seeds to each.
    const first = (context.seed * 1_000_003) >>> 0
    while (context.more(row.runs, 1_000) && row.failures.length < 10) {
      const seed = first + row.runs
      row.runs += 1
      try {
        // Every other one with packed segments.
        const found = await agreementOf(seed, seed % 2 === 1)
        messages += found.messages
        lost += found.lost
        row.failures.push(...found.disagreements)
      } catch (error) {
        row.failures.push(`seed ${seed}: ${messageOf(error)}`)
      }
    }
    row.note = `${messages} messages, ${lost} of them lost to the damage; logs from seed ${first} on`
    return [row]
  },
}
