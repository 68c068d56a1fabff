import { placeArgument, positive, topicOption } from '../arguments.js'
import { exitStatus } from '../failure.js'
import { withInterrupt } from '../interrupt.js'
import { type Format, formatFor, formatOption, parseFormat } from '../message-format.js'
import { openToRead, topicsOf } from '../open-log.js'
import { Output } from '../output.js'
import { progressOnTerminal } from '../progress.js'
import { searcher } from '../search.js'
import { countToRead, type Selection, selected, withSelection } from '../selection.js'
import { terminal } from '../terminal.js'
import { whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options extends Selection {
  topic?: readonly string[]
  ignoreCase?: boolean
  fixedStrings?: boolean
  count?: boolean
  maxCount?: number
  format?: Format
}

export const grep: Verb = {
  name: 'grep',
  summary: 'messages in which a pattern is found',
  description: `Looks for a regular expression in values, keys and headers (as NAME=VALUE), and prints a line for each message in which it is. Exit
status 0: something was found, 1: nothing, 2: it failed, as grep itself has them.`,
  examples: `  bookend grep ./event-log 'refund|chargeback' --ignore-case
  bookend grep ./event-log '"id":4711\\b' --topic orders --from 1d
  bookend grep ./event-log --fixed-strings 'a.b' --count`,
  failedStatus: exitStatus.usage,

  define: (command) =>
    withSelection(
      command
        .argument(...placeArgument)
        .argument('<pattern>', 'regular expression, as JavaScript has them')
        .option(...topicOption)
        .option('-i, --ignore-case', 'capitals are the same as small letters')
        .option('-F, --fixed-strings', 'the pattern is plain text')
        .option('-c, --count', 'print how many messages match, and nothing else')
        .option('-m, --max-count <count>', 'stop after so many', positive),
    ).option(...formatOption, parseFormat),

  async run(
    [given, pattern],
    { topic: names, ignoreCase, fixedStrings, count, maxCount = Number.POSITIVE_INFINITY, format, ...rest }: Options,
  ) {
    const isFound = searcher(pattern, { ignoreCase, fixedStrings })
    const screen = terminal()
    const { ofTopics } = formatFor(format, screen)
    const output = new Output()
    await using log = await openToRead(given)
    const topics = await topicsOf(log, names)
    const progress = progressOnTerminal('grep', await countToRead(topics, rest), whole)
    let total = 0
    try {
      await withInterrupt(async (signal) => {
        for (const topic of topics) {
          for await (const messages of selected(topic, rest, signal, progress?.advance)) {
            const found = messages.filter(isFound).slice(0, maxCount - total)
            total += found.length
            if (count !== true && found.length > 0) {
              const show = async () => {
                for (const message of found) await output.add(ofTopics(message, screen))
                // What is found is seen at once, however rare it is.
                await output.flush()
              }
              await (progress !== undefined && screen.isInteractive ? progress.aside(show) : show())
            }
            if (total === maxCount) return
          }
        }
      })
    } finally {
      progress?.end()
    }
    if (count === true) await output.add(`${total}\n`)
    await output.flush()
    return total > 0 ? exitStatus.ok : exitStatus.nothingFound
  },
}
