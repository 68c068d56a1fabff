import path from 'node:path'
import { directoryArgument, topicArgument } from '../arguments.js'
import { exitStatus, Failure } from '../failure.js'
import { existingTopic, openToChange, openToRead } from '../open-log.js'
import { parsePlace, placeHelp, type TopicPlace } from '../place.js'
import { print, printJson } from '../terminal.js'
import { counted, whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options {
  dryRun?: boolean
  json?: boolean
}

export const trim: Verb = {
  name: 'trim',
  summary: 'remove the messages of a topic below a place',
  description: `Removes messages for good: those of the topic below the place cannot be read any more. Their space comes back in whole segments, once no
topic needs them. Nobody may have the log open meanwhile: a process that has it trims its topics itself.`,
  examples: `  bookend trim ./event-log orders 7d --dry-run
  bookend trim ./event-log orders 59000`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .argument(...topicArgument)
      .argument('<before>', `the first message that stays: ${placeHelp}`, parsePlace)
      .option('-n, --dry-run', 'say what would be removed, and remove nothing')
      .option('--json', 'print JSON'),

  async run(args, { dryRun = false, json = false }: Options) {
    const [given, name, place] = args as unknown as [string, string, TopicPlace]
    const directory = path.resolve(given)
    await using log = await (dryRun ? openToRead(directory) : openToChange(directory))
    const topic = await existingTopic(log, name)
    const { first, next } = await topic.bounds()
    const wanted = place === 'first' ? first : place === 'next' ? next : place
    const before = wanted instanceof Date ? await topic.offsetAt(wanted) : wanted
    if (before > next)
      throw new Failure(
        `${name} has no message ${whole(before)} yet: the next one is ${whole(next)}`,
        exitStatus.failed,
      )
    const removed = Math.max(0, before - first)
    if (!dryRun && removed > 0) {
      await topic.trim(before)
      await log.flush('disk')
    }
    if (json) printJson({ directory, topic: name, first: Math.max(first, before), next, removed, dryRun })
    else {
      const what = removed === 0 ? 'nothing' : `${counted(removed, 'message')}, ${whole(first)} to ${whole(before - 1)}`
      print(
        `${dryRun ? 'would remove' : 'removed'} ${what} of ${name}; ${counted(next - Math.max(first, before), 'message')} stay`,
      )
    }
    return exitStatus.ok
  },
}
