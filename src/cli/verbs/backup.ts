import path from 'node:path'
import { open } from '../../log/log.js'
import { directoryArgument } from '../arguments.js'
import { exitStatus, Failure } from '../failure.js'
import { withInterrupt } from '../interrupt.js'
import { print, printJson, terminal } from '../terminal.js'
import { bytes, counted, whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options {
  json?: boolean
}

export const backup: Verb = {
  name: 'backup',
  summary: 'copy the log, also while it is in use',
  description: `Copies the log into a directory that does not exist or is empty. The copy is the log at one moment, flushed, with its groups; it
opens like a log that was closed. The owner of the log goes on meanwhile and is not disturbed. Interrupted, it removes what it has made.`,
  examples: '  bookend backup ./event-log /backup/event-log-2026-11-23',

  define: (command) =>
    command
      .argument(...directoryArgument)
      .argument('<target>', 'directory of the copy')
      .option('--json', 'print JSON'),

  async run([given, to], { json = false }: Options) {
    const directory = path.resolve(given)
    const target = path.resolve(to)
    const report = await withInterrupt((signal) => copy(directory, target, signal))
    if (json) printJson({ directory, target, ...report })
    else {
      const { bold } = terminal().colors
      const size = `${counted(report.segments, 'segment')}, ${bytes(report.bytes)}`
      print(`${bold(target)}: ${size}, everything below position ${whole(report.position)}.`)
    }
    return exitStatus.ok
  },
}

async function copy(directory: string, target: string, signal: AbortSignal) {
  await using log = await open(directory, { readOnly: true, follow: true })
  try {
    return await log.backup(target, { signal })
  } catch (error) {
    // The target is in use, or inside the log: a mistake in the call.
    if (error instanceof RangeError) throw new Failure(error.message, exitStatus.usage)
    throw error
  }
}
