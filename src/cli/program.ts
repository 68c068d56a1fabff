/** The `bookend` command: its verbs, and how mistakes and failures end it. */
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { completionVerbs } from './completion.js'
import { escaped } from './escape.js'
import { exitStatus, Failure } from './failure.js'
import { guardOutput } from './terminal.js'
import type { Verb } from './verb.js'
import { append } from './verbs/append.js'
import { backup } from './verbs/backup.js'
import { bench } from './verbs/bench.js'
import { deadLetters } from './verbs/dead-letters.js'
import { exportVerb } from './verbs/export.js'
import { get } from './verbs/get.js'
import { grep } from './verbs/grep.js'
import { groups } from './verbs/groups.js'
import { importVerb } from './verbs/import.js'
import { inspect } from './verbs/inspect.js'
import { pages } from './verbs/pages.js'
import { repair } from './verbs/repair.js'
import { seek } from './verbs/seek.js'
import { serve } from './verbs/serve.js'
import { stat } from './verbs/stat.js'
import { tail } from './verbs/tail.js'
import { topics } from './verbs/topics.js'
import { trim } from './verbs/trim.js'
import { verify } from './verbs/verify.js'
import { visible } from './visible.js'

/** In the order of the help. A new verb is a file in verbs/ and a line here. */
const working: readonly Verb[] = [
  topics,
  tail,
  get,
  grep,
  append,
  exportVerb,
  importVerb,
  seek,
  trim,
  deadLetters,
  inspect,
  serve,
  pages,
  stat,
  groups,
  verify,
  repair,
  backup,
  bench,
]
const verbs: readonly Verb[] = [...working, ...completionVerbs(working)]

const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string }

const epilogue = `
Exit status: 0 all is well, 1 damage was found, nothing was found, or the command failed, 2 the command line is wrong,
3 another process has the log open. Colours and redrawing are for terminals; NO_COLOR switches colours off. Messages are
text on a terminal and NDJSON elsewhere; --format and --json say otherwise.

Examples:
  bookend tail ./event-log orders       the last messages of a topic
  bookend grep ./event-log refund       messages in which something stands
  echo hi | bookend append ./log hello  a message for each line
  bookend inspect ./event-log           the log as a page in a browser
  bookend serve ./event-log             streams over HTTP, by the Durable Streams protocol
  bookend pages ./event-log --watch     see both ends of the log in memory, live
  bookend stat ./event-log              topics, groups, offsets, sizes, state
  bookend groups ./event-log            how far consumer groups have come, now
  bookend verify ./event-log            read everything, report each damage
  bookend repair ./event-log --dry-run  what a repair would do
  bookend backup ./event-log ./copy     copy it while it is in use
  bookend bench                         how fast it is here; bench --help for more`

/** @param args without the program's own name. @returns the exit status */
export async function run(args: readonly string[]): Promise<number> {
  guardOutput()
  let status: number = exitStatus.ok
  const program = new Command('bookend')
    .description('Looks into a Bookend log and writes to it; checks, repairs and copies it.')
    .version(version)
    .addHelpText('after', epilogue)
    .showHelpAfterError('(add --help for what is possible)')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(text.split('\n').map(escaped).join('\n')) })
  for (const verb of verbs) {
    const command = program
      .command(verb.name, { hidden: verb.isHidden === true })
      .summary(verb.summary)
      .description(verb.description.replaceAll('\n', ' '))
    verb.define(command).exitOverride()
    if (verb.examples !== '') command.addHelpText('after', `\nExamples:\n${verb.examples}`)
    command.action(async (...given: unknown[]) => {
      // Commander hands over the arguments, then the options, then the command.
      const options = given.at(-2) as Record<string, unknown>
      try {
        status = await verb.run(given.slice(0, -2).flat() as string[], options)
      } catch (error) {
        throw Failure.from(error, verb.failedStatus)
      }
    })
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return status
  } catch (error) {
    // Commander has said what is wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.ok : exitStatus.usage
    const failure = Failure.from(error)
    process.stderr.write(`bookend: ${visible(failure.message)}\n`)
    return failure.status
  }
}
