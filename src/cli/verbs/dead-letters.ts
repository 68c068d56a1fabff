import path from 'node:path'
import { Option } from 'commander'
import type { Log } from '../../log/log.js'
import type { Topic } from '../../log/topic.js'
import { directoryArgument, name } from '../arguments.js'
import { type DeadLetter, deadLetterOf, redrive } from '../dead-letters.js'
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
      const { first, next } = await topic.bounds()
      await topic.trim(next)
      await log.flush('disk')
      if (json) printJson({ directory, topic: topicName, discarded: next - first })
      else print(`discarded ${counted(next - first, 'dead letter')}`)
    } else {
      const letters = await withInterrupt((signal) => lettersOf(topic, signal))
      if (json) printJson({ directory, topic: topicName, deadLetters: letters })
      else print(linesOf(letters).join('\n'))
    }
    return exitStatus.ok
  },
}

async function lettersOf(topic: Topic<Uint8Array>, signal: AbortSignal): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const message of topic.read({ signal })) {
    const letter = deadLetterOf(message)
    if (letter !== undefined) letters.push(letter)
  }
  return letters
}

/** What has been brought back is removed here, also where something fails behind it. A crash between the two brings it back twice. */
async function redriveAll(log: Log, topic: Topic<Uint8Array>, signal: AbortSignal) {
  const done = { redriven: 0, unreadable: 0 }
  let behind: number | undefined
  try {
    for await (const message of topic.read({ signal })) {
      if (await redrive(log, message)) done.redriven += 1
      else done.unreadable += 1
      behind = message.offset + 1
    }
  } finally {
    if (behind !== undefined) {
      await log.flush('disk')
      await topic.trim(behind)
      await log.flush('disk')
    }
  }
  return done
}

function redriveText({ redriven, unreadable }: { redriven: number; unreadable: number }): string {
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
