import path from 'node:path'
import { directoryArgument, topicArgument } from '../arguments.js'
import { exitStatus } from '../failure.js'
import { untilInterrupt } from '../interrupt.js'
import { type Format, formatFor, formatOption, parseFormat } from '../message-format.js'
import { existingTopic, openToRead } from '../open-log.js'
import { Output } from '../output.js'
import { type Selection, selected, withLast, withSelection } from '../selection.js'
import { terminal } from '../terminal.js'
import type { Verb } from '../verb.js'

interface Options extends Selection {
  format?: Format
}

const defaultLast = 10

export const tail: Verb = {
  name: 'tail',
  summary: 'the last messages of a topic, and those that come',
  description: `Prints messages of a topic, the last ${defaultLast} unless something else is said. With --follow it goes on with what is appended, until
Ctrl-C, by whichever process: also over the end of the log's owner and its next start.`,
  examples: `  bookend tail ./event-log orders --follow
  bookend tail ./event-log orders --from first --format '{offset} {key} {value}'
  bookend tail ./event-log orders --from 10m --where type=refund | jq .value
  bookend tail ./event-log orders --last 1 --format raw > order.json`,

  define: (command) =>
    withLast(withSelection(command.argument(...directoryArgument).argument(...topicArgument)), defaultLast)
      .option('-f, --follow', 'wait for more')
      .option(...formatOption, parseFormat),

  async run([given, name], { format, ...options }: Options) {
    const screen = terminal()
    const { ofTopic } = formatFor(format, screen)
    const selection = options.from === undefined ? { last: defaultLast, ...options } : options
    await using log = await openToRead(path.resolve(given))
    // A topic that is followed may come to be later.
    const topic = options.follow === true ? log.topic(name) : await existingTopic(log, name)
    const output = new Output()
    await untilInterrupt(options.follow === true, async (signal) => {
      for await (const messages of selected(topic, selection, signal)) {
        for (const message of messages) await output.add(ofTopic(message, screen))
        await output.flush()
      }
    })
    return exitStatus.ok
  },
}
