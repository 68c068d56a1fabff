import { placeArgument, topicOption } from '../arguments.js'
import { exitStatus } from '../failure.js'
import { withInterrupt } from '../interrupt.js'
import { ndjsonFormat } from '../message-format.js'
import { openToRead, topicsOf } from '../open-log.js'
import { Output } from '../output.js'
import { progressOnTerminal } from '../progress.js'
import { countToRead, type Selection, selected, withSelection } from '../selection.js'
import { note, terminal } from '../terminal.js'
import { counted, whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options extends Selection {
  topic?: readonly string[]
}

export const exportVerb: Verb = {
  name: 'export',
  summary: 'messages as NDJSON, for import or other programs',
  description: `Prints the messages of all topics, or of some, as lines of JSON: topic, offset, timestamp, key, headers and value; bytes that are not UTF-8
in base64. One topic follows the other, each up to where it ends when its turn comes. Works while the log is in use.`,
  examples: `  bookend export ./event-log > event-log.ndjson
  bookend export ./event-log --topic orders --from 1d | gzip > orders.ndjson.gz`,

  define: (command) => withSelection(command.argument(...placeArgument).option(...topicOption)),

  async run([given], { topic: names, ...selection }: Options) {
    const screen = terminal()
    const output = new Output()
    await using log = await openToRead(given)
    const topics = await topicsOf(log, names)
    // Two hands on one screen would write over each other.
    const progress = screen.isInteractive
      ? undefined
      : progressOnTerminal('export', await countToRead(topics, selection), whole)
    let count = 0
    try {
      await withInterrupt(async (signal) => {
        for (const topic of topics) {
          for await (const messages of selected(topic, selection, signal, progress?.advance)) {
            for (const message of messages) await output.add(ndjsonFormat(message, screen))
            await output.flush()
            count += messages.length
          }
        }
      })
    } finally {
      progress?.end()
    }
    note(`${counted(count, 'message')} exported`)
    return exitStatus.ok
  },
}
