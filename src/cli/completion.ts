/**
 * What a shell is told when somebody presses Tab: the scripts for shells come from a library, which ask `bookend complete -- WORDS` and take a
 * line for each proposal and a last one with what else to do.
 */
import { script } from '@bomb.sh/tab'
import { Argument, Command } from 'commander'
import { exitStatus } from './failure.js'
import { openToRead } from './open-log.js'
import { isUrl } from './servers.js'
import type { Verb } from './verb.js'

/** What the shell may add to the proposals. */
const shellMay = { completeFiles: 0, completeNothing: 4, completeDirectories: 16 } as const

interface Proposals {
  readonly lines: readonly string[]
  readonly directive: number
}

/** Completes what these verbs take, and itself. */
export function completionVerbs(others: readonly Verb[]): Verb[] {
  const verbs: Verb[] = [...others]
  const completion: Verb = {
    name: 'completion',
    summary: 'a script for your shell, which completes verbs, options and topics',
    description:
      'Prints a script. Source it where your shell starts; the command has to be on the PATH under its name.',
    examples: `  source <(bookend completion bash)      # in ~/.bashrc
  source <(bookend completion zsh)       # in ~/.zshrc
  bookend completion fish | source       # in ~/.config/fish/config.fish`,
    define: (command) => command.addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish'])),
    async run([shell]) {
      script(shell, 'bookend', 'bookend')
      return exitStatus.ok
    },
  }
  const complete: Verb = {
    name: 'complete',
    summary: '',
    description: 'Asked by the script of bookend completion.',
    examples: '',
    isHidden: true,
    define: (command) => command.argument('[words...]').helpOption(false).allowUnknownOption(),
    async run(words) {
      const { lines, directive } = await proposals(words, verbs)
      process.stdout.write([...lines, `:${directive}\n`].join('\n'))
      return exitStatus.ok
    },
  }
  verbs.push(completion)
  return [completion, complete]
}

/** @param words after the name of the command; the last one is what is being written, empty if nothing of it is there yet */
async function proposals(words: readonly string[], verbs: readonly Verb[]): Promise<Proposals> {
  const written = words.at(-1) ?? ''
  const only = (
    all: readonly (readonly [string, string])[],
    directive: number = shellMay.completeNothing,
  ): Proposals => ({
    lines: all.filter(([value]) => value.startsWith(written)).map(([value, about]) => `${value}\t${about}`),
    directive,
  })
  if (words.length < 2) return only(verbs.map(({ name, summary }) => [name, summary]))
  const verb = verbs.find(({ name }) => name === words[0])
  if (verb === undefined) return only([])
  const { options, registeredArguments } = verb.define(new Command(verb.name))
  const optionNamed = (word: string) => options.find(({ long, short }) => word === long || word === short)

  const before = words.slice(1, -1)
  const asking = optionNamed(before.at(-1) ?? '')
  if (asking?.required === true) {
    return only((asking.argChoices ?? []).map((choice) => [choice, '']))
  }
  if (written.startsWith('-')) return only(options.map(({ long, description }) => [long ?? '', description]))

  const given = before.filter(
    (word, place) => !word.startsWith('-') && optionNamed(before[place - 1] ?? '')?.required !== true,
  )
  const argument = registeredArguments[given.length]
  if (argument?.argChoices !== undefined) return only(argument.argChoices.map((choice) => [choice, '']))
  switch (argument?.name()) {
    case 'directory':
    case 'log':
      return only([], shellMay.completeDirectories)
    case 'topic':
      return only((await topicsIn(given[0])).map((topic) => [topic, '']))
    default:
      return only([], argument === undefined ? shellMay.completeNothing : shellMay.completeFiles)
  }
}

/** Nobody who presses Tab wants to be told that there is no log, or to wait for a server. */
async function topicsIn(directory: string | undefined): Promise<string[]> {
  if (directory === undefined || isUrl(directory)) return []
  try {
    await using log = await openToRead(directory)
    return await log.topics()
  } catch {
    return []
  }
}
