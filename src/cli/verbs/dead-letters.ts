import path from 'node:path'
import { Option } from 'commander'
import type { RedriveReport } from '../../log/dead-letters.js'
import { directoryArgument, name } from '../arguments.js'
import { type LetterRow, rowOf } from '../dead-letters.js'
import { escaped } from '../escape.js'
import { exitStatus, Failure } from '../failure.js'
import { withInterrupt } from '../interrupt.js'
import { existingTopic, openToChange, openToRead } from '../open-log.js'
import { matcherOf, type Selection, withKeyAndHeaders } from '../selection.js'
import { print, printJson, terminal } from '../terminal.js'
import { textTable } from '../text-table.js'
import { counted, time, whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options extends Pick<Selection, 'key' | 'where'> {
  to?: string
  redrive?: boolean
  discard?: boolean
  json?: boolean
}

export const deadLetters: Verb = {
  name: 'dead-letters',
  summary: 'messages that could not be handled: see them, bring them back, discard them',
  description: `Lists the messages of a dead-letter topic, with where each came from and why it failed. --redrive appends each to its topic again, behind what
is there, or to another one (--to), and removes it here; --discard removes it. Both only while nobody has the log open. --key and --where: only some.`,
  examples: `  bookend dead-letters ./event-log orders-failed
  bookend dead-letters ./event-log orders-failed --redrive
  bookend dead-letters ./event-log orders-failed --key customer-7 --discard`,

  define: (command) =>
    withKeyAndHeaders(
      command
        .argument(...directoryArgument)
        .argument('<topic>', 'name of the dead-letter topic', name)
        .addOption(new Option('--redrive', 'append them to their topics again').conflicts('discard'))
        .option('--to <topic>', 'with --redrive: to this topic', name)
        .option('--discard', 'remove them'),
    ).option('--json', 'print JSON'),

  async run([given, topicName], { redrive = false, discard = false, to, key, where, json = false }: Options) {
    if (to !== undefined && !redrive) throw new Failure('--to says where --redrive brings them', exitStatus.usage)
    const directory = path.resolve(given)
    await using log = await (redrive || discard ? openToChange(directory) : openToRead(directory))
    await existingTopic(log, topicName)
    const box = log.deadLetters(topicName)
    const filter = matcherOf({ key, where })
    if (redrive) {
      const done = await withInterrupt((signal) => box.redrive({ filter, to, signal }))
      await log.flush('disk')
      if (json) printJson({ directory, topic: topicName, ...done })
      else print(redriveText(done))
    } else if (discard) {
      const { discarded } = await withInterrupt((signal) => box.discard({ filter, signal }))
      await log.flush('disk')
      if (json) printJson({ directory, topic: topicName, discarded })
      else print(`discarded ${counted(discarded, 'dead letter')}`)
    } else {
      const letters = (await withInterrupt(async (signal) => box.list({ filter, signal }))).map(rowOf)
      if (json) printJson({ directory, topic: topicName, deadLetters: letters })
      else print(linesOf(letters).join('\n'))
    }
    return exitStatus.ok
  },
}

function redriveText({ redriven, unreadable }: RedriveReport): string {
  const rest =
    unreadable === 0
      ? ''
      : `; ${whole(unreadable)} stood for messages that cannot be read, and have nothing to bring back`
  return `brought back ${counted(redriven, 'message')}${rest}`
}

function linesOf(letters: readonly LetterRow[]): string[] {
  if (letters.length === 0) return ['no dead letters']
  const [head, ...lines] = textTable(
    [
      { title: 'offset', align: 'right' },
      { title: 'time' },
      { title: 'message' },
      { title: 'group' },
      { title: 'attempts', align: 'right' },
      { title: 'error' },
    ],
    letters.map(({ offset, timestamp, topic, from, group, attempts, error }) => [
      whole(offset),
      time(timestamp),
      escaped(`${topic}:${from}`),
      escaped(group),
      whole(attempts),
      escaped(error),
    ]),
  )
  return [terminal().colors.dim(head), ...lines]
}
