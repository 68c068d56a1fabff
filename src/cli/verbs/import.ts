import { InvalidArgumentError } from 'commander'
import { defaultMaxMessageBytes } from '../../limits.js'
import { placeArgument } from '../arguments.js'
import { incomingOf } from '../exported-message.js'
import { exitStatus } from '../failure.js'
import { standardInput } from '../input.js'
import { intakeText, takeIn } from '../intake.js'
import { withInterrupt } from '../interrupt.js'
import { isBlank, messagesOf } from '../json-lines.js'
import { linesOf } from '../lines.js'
import { openToAppend } from '../open-log.js'
import { note } from '../terminal.js'
import type { Verb } from '../verb.js'

interface Options {
  timeHeader?: string
}

/** A value in JSON: each byte may be an escape of six, and key and headers stand beside it. */
const maxLineBytes = 8 * defaultMaxMessageBytes

export const importVerb: Verb = {
  name: 'import',
  summary: 'append what export has printed',
  description: `Appends messages from lines of JSON on standard input, as export and tail --format ndjson print them: topic, value, key, headers. Offsets and times
are given anew, as for every append. Makes the log and its topics if they are not there. All is flushed to the device before the command ends
with status 0. While another process has the log open it is refused, and says who has it.`,
  examples: `  bookend import ./copy < event-log.ndjson
  bookend export ./event-log --topic orders | bookend import ./copy --time-header exported-at`,

  define: (command) =>
    command
      .argument(...placeArgument)
      .option('--time-header <name>', 'keep the time of each message in a header of that name', headerName),

  async run([given], { timeHeader }: Options) {
    await using log = await openToAppend(given)
    const intake = await withInterrupt((signal) => {
      const lines = linesOf(standardInput('import', signal), maxLineBytes)
      const messages = messagesOf(lines, (line) => (isBlank(line) ? undefined : incomingOf(line, timeHeader)))
      return takeIn(log, messages, signal)
    })
    note(intakeText(intake, 'imported'))
    if (intake.failure !== undefined) throw intake.failure
    return exitStatus.ok
  },
}

function headerName(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('It must be the name of a header.')
}
