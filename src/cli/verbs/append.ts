import { Option } from 'commander'
import { defaultMaxMessageBytes } from '../../limits.js'
import { nameAndValue, placeArgument, topicArgument } from '../arguments.js'
import { exitStatus, Failure } from '../failure.js'
import { standardInput } from '../input.js'
import { type Incoming, intakeText, takeIn } from '../intake.js'
import { withInterrupt } from '../interrupt.js'
import { isBlank, lineFailure, messagesOf, parseLine, parseObject } from '../json-lines.js'
import { type Line, linesOf } from '../lines.js'
import { openToAppend } from '../open-log.js'
import { note } from '../terminal.js'
import type { Verb } from '../verb.js'

interface Options {
  format?: 'lines' | 'ndjson'
  key?: string
  keyFrom?: string
  header?: Record<string, string>
}

export const append: Verb = {
  name: 'append',
  summary: 'append standard input, one message a line',
  description: `Appends each line of standard input to a topic, and makes the log and the topic if they are not there. Lines end with LF or CRLF, which
are not part of the message; an empty line is an empty message. All of them are flushed to the device before the command ends with status 0.
Standard error says how many there were. While another process has the log open it is refused, and says who has it.`,
  examples: `  echo 'hello' | bookend append ./event-log greetings
  bookend append ./event-log orders --key-from customer < orders.ndjson
  tail -f access.log | bookend append ./event-log requests --header host=$HOSTNAME`,

  define: (command) =>
    command
      .argument(...placeArgument)
      .argument(...topicArgument)
      .addOption(
        new Option(
          '--format <format>',
          'lines, or ndjson: each line is checked to be JSON, and empty ones are left out',
        ).choices(['lines', 'ndjson']),
      )
      .addOption(new Option('--key <key>', 'key of every message').conflicts('keyFrom'))
      .option('--key-from <field>', 'key of a message: this field of its JSON object; with it the format is ndjson')
      .option('--header <name=value>', 'header of every message; may come several times', addHeader),

  async run([given, topic], { format, key, keyFrom, header: headers }: Options) {
    if (format === 'lines' && keyFrom !== undefined)
      throw new Failure('--key-from needs JSON: use it with --format ndjson', exitStatus.usage)
    const isJson = format === 'ndjson' || keyFrom !== undefined
    const toMessage = (line: Line): Incoming | undefined => {
      if (isJson && isBlank(line)) return undefined
      const own = isJson ? keyOf(line, keyFrom) : undefined
      return { line: line.number, topic, value: line.bytes, options: { key: own ?? key, headers } }
    }
    await using log = await openToAppend(given)
    const intake = await withInterrupt((signal) => {
      const lines = linesOf(standardInput('append', signal), defaultMaxMessageBytes)
      return takeIn(log, messagesOf(lines, toMessage), signal)
    })
    note(intakeText(intake, 'appended'))
    if (intake.failure !== undefined) throw intake.failure
    return exitStatus.ok
  },
}

/** @throws Failure if the line is not JSON, or has no such field that could be a key */
function keyOf(line: Line, field: string | undefined): string | undefined {
  if (field === undefined) {
    parseLine(line)
    return undefined
  }
  const object = parseObject(line)
  const key = Object.hasOwn(object, field) ? object[field] : undefined
  if (typeof key === 'string') return key
  if (typeof key === 'number' || typeof key === 'boolean') return String(key)
  throw lineFailure(line.number, `has no field ${JSON.stringify(field)} with a text or a number, for --key-from`)
}

function addHeader(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [name, value] = nameAndValue(text)
  return { ...before, [name]: value }
}
