import type { Command } from 'commander'

/** One verb of the command: what it takes, and what it does. */
export interface Verb {
  readonly name: string
  /** For the list of verbs. */
  readonly summary: string
  readonly description: string
  /** Lines for its help; may be empty. */
  readonly examples: string
  /** Exit status of a failure, where that of all others means something else; `get` has 1 for what is not there. */
  readonly failedStatus?: number
  /** It is no part of the help. */
  readonly isHidden?: true
  /** Adds arguments and options. */
  define(command: Command): Command
  /** @returns the exit status */
  run(args: string[], options: Record<string, unknown>): Promise<number>
}
