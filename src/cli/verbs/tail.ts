import { Option } from 'commander'
import type { Log } from '../../log/log.js'
import { name as nameOfGroup, placeArgument, topicArgument } from '../arguments.js'
import { exitStatus, Failure } from '../failure.js'
import { rowsAt } from '../group-rows.js'
import { untilInterrupt } from '../interrupt.js'
import { type Format, formatFor, formatOption, parseFormat } from '../message-format.js'
import { existingTopic, openToRead } from '../open-log.js'
import { Output } from '../output.js'
import { type Selection, selected, withLast, withSelection } from '../selection.js'
import { terminal } from '../terminal.js'
import type { Verb } from '../verb.js'

interface Options extends Selection {
  format?: Format
  group?: string
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
  bookend tail ./event-log orders --group billing
  bookend tail ./event-log orders --last 1 --format raw > order.json
  bookend tail nats://127.0.0.1:4222/shop orders --follow`,

  define: (command) =>
    withLast(withSelection(command.argument(...placeArgument).argument(...topicArgument)), defaultLast)
      .option('-f, --follow', 'wait for more')
      .addOption(
        new Option('--group <group>', 'from the first message that this group has not acknowledged; it is not moved')
          .argParser(nameOfGroup)
          .conflicts(['from', 'last']),
      )
      .option(...formatOption, parseFormat),

  async run([given, name], { format, group, ...options }: Options) {
    const screen = terminal()
    const { ofTopic } = formatFor(format, screen)
    await using log = await openToRead(given)
    // A topic that is followed may come to be later.
    const topic = options.follow === true ? log.topic(name) : await existingTopic(log, name)
    const from = group === undefined ? options.from : await placeOf(given, log, name, group)
    const selection = from === undefined ? { last: defaultLast, ...options } : { ...options, from }
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

/** The first message that the group has not acknowledged. */
async function placeOf(given: string, log: Log, topic: string, group: string): Promise<number> {
  const found = (await rowsAt(given, log)).filter((row) => row.topic === topic)
  const committed = found.find((row) => row.group === group)?.committed
  if (typeof committed === 'number') return committed
  const names = [...new Set(found.map((row) => row.group))].join(', ')
  const there = committed === null ? 'its file is damaged' : names === '' ? 'it has none' : `it has ${names}`
  throw new Failure(`${topic} has no group ${group} that can be read: ${there}`, exitStatus.failed)
}
