import { placeArgument, topicArgument } from '../arguments.js'
import { exitStatus, Failure } from '../failure.js'
import { type Format, formatFor, formatOption, parseFormat } from '../message-format.js'
import { existingTopic, openToRead } from '../open-log.js'
import { Output } from '../output.js'
import { offset } from '../place.js'
import { terminal } from '../terminal.js'
import { whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options {
  format?: Format
}

export const get: Verb = {
  name: 'get',
  summary: 'one message, by its offset',
  description: `Prints one message. With --format raw it is the value as it was appended, byte by byte. Exit status 1: there is no such message.`,
  examples: `  bookend get ./event-log orders 17
  bookend get ./event-log orders 17 --format raw > order.json`,
  failedStatus: exitStatus.usage,

  define: (command) =>
    command
      .argument(...placeArgument)
      .argument(...topicArgument)
      .argument('<offset>', 'its number in the topic', offset)
      .option(...formatOption, parseFormat),

  async run(args, { format }: Options) {
    const [given, name, wanted] = args as unknown as [string, string, number]
    const screen = terminal()
    await using log = await openToRead(given)
    const topic = await existingTopic(log, name)
    const message = await topic.get(wanted)
    if (message === undefined) {
      const { first, next } = await topic.bounds()
      const there = next > first ? `${whole(first)} to ${whole(next - 1)} are there` : 'it is empty'
      throw new Failure(`there is no message ${whole(wanted)} in ${name}: ${there}`, exitStatus.nothingFound)
    }
    const output = new Output()
    await output.add(formatFor(format, screen).one(message, screen))
    await output.flush()
    return exitStatus.ok
  },
}
