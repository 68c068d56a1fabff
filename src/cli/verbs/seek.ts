import path from 'node:path'
import { directoryArgument, name, topicArgument } from '../arguments.js'
import { exitStatus, Failure } from '../failure.js'
import { existingTopic, openToChange } from '../open-log.js'
import { parsePlace, placeHelp, type TopicPlace } from '../place.js'
import { print, printJson } from '../terminal.js'
import { counted, whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options {
  json?: boolean
}

export const seek: Verb = {
  name: 'seek',
  summary: 'let a consumer group go on from another place',
  description: `Moves a group of the log, backwards or forwards: everything below is done, nothing above. A group that is not there comes to be. Nobody may
have the log open meanwhile: a process that has it seeks its groups itself.`,
  examples: `  bookend seek ./event-log orders billing first
  bookend seek ./event-log orders billing 2h
  bookend seek ./event-log orders billing 59000`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .argument(...topicArgument)
      .argument('<group>', 'name of the group', name)
      .argument('<to>', placeHelp, parsePlace)
      .option('--json', 'print JSON'),

  async run(args, { json = false }: Options) {
    const [given, topicName, group, to] = args as unknown as [string, string, string, TopicPlace]
    const directory = path.resolve(given)
    await using log = await openToChange(directory)
    const topic = await existingTopic(log, topicName)
    const handle = topic.group(group)
    const before = await handle.position()
    await handle.seek(to).catch((error) => {
      // Beyond the end, or below the beginning: the message says where those are.
      if (error instanceof RangeError) throw new Failure(error.message, exitStatus.failed)
      throw error
    })
    await log.flush('disk')
    const { committed, lag } = await handle.position()
    if (json) printJson({ directory, topic: topicName, group, from: before.committed, to: committed, lag })
    else
      print(
        `${group} of ${topicName} goes on at ${whole(committed)} (was at ${whole(before.committed)}): ${counted(lag, 'message')} to do`,
      )
    return exitStatus.ok
  },
}
