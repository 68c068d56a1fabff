import path from 'node:path'
import { Option } from 'commander'
import { directoryArgument, name } from '../arguments.js'
import { type DeadLetter, discardAll, lettersOf, type Redriven, redriveAll } from '../dead-letters.js'
import { escaped } from '../escape.js'
import { exitStatus } from '../failure.js'
import { withInterrupt } from '../interrupt.js'
import { existingTopic, openToChange, openToRead } from '../open-log.js'
import { print, printJson, terminal } from '../terminal.js'
import { textTable } from '../text-table.js'
import { counted, time, whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options {
  redrive?: boolean
  discard?: boolean
  json?: boolean
}

export const deadLetters: Verb = {
  name: 'dead-letters',
  summary: 'messages that could not be handled: see them, bring them back, discard them',
  description: `Lists the messages of a dead-letter topic, with where each came from and why it failed. --redrive appends each to its topic again, behind what
is there, and removes it here; --discard removes all of them. Both only while nobody has the log open.`,
  examples: `  bookend dead-letters ./event-log orders-failed
  bookend dead-letters ./event-log orders-failed --redrive`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .argument('<topic>', 'name of the dead-letter topic', name)
      .addOption(new Option('--redrive', 'append them to their topics again').conflicts('discard'))
      .option('--discard', 'remove them')
      .option('--json', 'print JSON'),

  async run([given, topicName], { redrive: again = false, discard = false, json = false }: Options) {
    const directory = path.resolve(given)
    await using log = await (again || discard ? openToChange(directory) : openToRead(directory))
    const topic = await existingTopic(log, topicName)
    if (again) {
      const done = await withInterrupt((signal) => redriveAll(log, topic, signal))
      if (json) printJson({ directory, topic: topicName, ...done })
      else print(redriveText(done))
    } else if (discard) {
      const discarded = await discardAll(log, topic)
      if (json) printJson({ directory, topic: topicName, discarded })
      else print(`discarded ${counted(discarded, 'dead letter')}`)
    } else {
      const letters = await withInterrupt((signal) => lettersOf(topic, signal))
      if (json) printJson({ directory, topic: topicName, deadLetters: letters })
      else print(linesOf(letters).join('\n'))
    }
    return exitStatus.ok
  },
}

function redriveText({ redriven, unreadable }: Redriven): string {
  const rest =
    unreadable === 0
      ? ''
      : `; ${whole(unreadable)} stood for messages that cannot be read, and have nothing to bring back`
  return `brought back ${counted(redriven, 'message')}${rest}`
}

function linesOf(letters: readonly DeadLetter[]): string[] {
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
