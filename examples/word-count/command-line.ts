import { Command, InvalidArgumentError, Option } from 'commander'

/** The command line, parsed and checked. */
export interface CommandLine {
  readonly paths: readonly string[]
  readonly dir?: string
  readonly ttlMs: number
  readonly readers?: number
  readonly segmentMb?: number
  readonly limitMb?: number
  readonly maxFiles?: number
  readonly topTopics: number
  readonly keep: boolean
  readonly json: boolean
}

/** Limits of the input that is found without being named; what the user names has none unless they ask. */
export const DEFAULT_LIMIT_MB = 64
export const DEFAULT_MAX_FILES = 2000

const EPILOGUE = `
Without paths it reads source and documentation files under node_modules. Folders are read recursively, without
symbolic links, hidden entries and binary files. Names ending in .gz are decompressed, - is standard input.
With --dir, a log that is there already is appended to, and what this run appended is what is verified.`

/**
 * Parses the arguments; a mistake ends the process with a message and exit status 1.
 *
 * @param argv as in `process.argv`
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const command = new Command('word-count')
    .description(
      'Puts files into a Bookend log, a topic each and a message per line, counts their words and reads them back.',
    )
    .argument('[paths...]', 'files, folders, .gz files, or - for standard input')
    .option('--dir <folder>', 'keep the log here (default: a temporary folder, removed at the end)')
    .addOption(whole('--ttl-ms <ms>', 'unmap segments idle for this long', 1).default(500))
    .addOption(whole('--readers <count>', 'reader threads (default: one less than there are cores)', 1))
    .addOption(whole('--segment-mb <MiB>', 'segment size of a new log (default: 16)', 1, 1024))
    .addOption(
      whole('--limit-mb <MB>', `input to take at most (default: ${DEFAULT_LIMIT_MB}; none for named paths)`, 1),
    )
    .addOption(
      whole('--max-files <count>', `files to take at most (default: ${DEFAULT_MAX_FILES}; none for named paths)`, 1),
    )
    .addOption(whole('--top-topics <count>', 'topics to list', 0).default(10))
    .option('--keep', 'keep the temporary folder', false)
    .option('--json', 'print the summary as JSON', false)
    .addHelpText('after', EPILOGUE)
    .parse(argv)
  return { ...command.opts<Omit<CommandLine, 'paths'>>(), paths: command.args }
}

function whole(flags: string, description: string, least: number, most = Number.MAX_SAFE_INTEGER): Option {
  return new Option(flags, description).argParser((text) => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least && value <= most) return value
    const bounds = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`
    throw new InvalidArgumentError(`It must be a whole number ${bounds}.`)
  })
}
