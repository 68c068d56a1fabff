import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CommandLine, DEFAULT_LIMIT_MB, DEFAULT_MAX_FILES, parseCommandLine } from './command-line.js'
import { InputError } from './input-error.js'
import { runJob } from './job.js'
import { type FoundSources, findSources, findTextFiles, requireSources } from './sources.js'
import { differencesOf, renderSummary } from './summary.js'
import { summaryAsJson } from './summary-json.js'

const MEBIBYTE = 1024 * 1024
/** Smaller than the library's default: the usual input then fills several segments, and some come to rest. */
const NEW_LOG_SEGMENT_MB = 16
const TOP_WORDS = 3

// `| head`: whoever closes the pipe has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

process.exitCode = await main(parseCommandLine(process.argv))

async function main(line: CommandLine): Promise<number> {
  const controller = new AbortController()
  // Once only: the job then stops and cleans up; whoever is in a hurry interrupts again.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort())
  try {
    const found = await findInput(line)
    requireSources(found)
    const report = await runJob(found, {
      directory: line.dir === undefined ? undefined : resolve(line.dir),
      isKept: line.keep,
      ttlMs: line.ttlMs,
      readers: line.readers,
      segmentBytes: segmentBytes(line),
      topCount: TOP_WORDS,
      signal: controller.signal,
    })
    process.stdout.write(line.json ? summaryAsJson(report) : `\n${renderSummary(report, line.topTopics)}\n`)
    return differencesOf(report).length === 0 ? 0 : 1
  } catch (error) {
    process.stderr.write(`word-count: ${controller.signal.aborted ? 'interrupted' : describe(error)}\n`)
    return controller.signal.aborted ? 130 : 1
  }
}

function findInput(line: CommandLine): Promise<FoundSources> {
  const maxBytes = line.limitMb === undefined ? undefined : line.limitMb * 1e6
  if (line.paths.length > 0) return findSources(line.paths, { maxBytes, maxFiles: line.maxFiles })
  return findTextFiles(join(projectRoot(), 'node_modules'), {
    maxBytes: maxBytes ?? DEFAULT_LIMIT_MB * 1e6,
    maxFiles: line.maxFiles ?? DEFAULT_MAX_FILES,
  })
}

/** The folder above this file that has a package.json: this runs compiled below dist/, or as source. */
function projectRoot(): string {
  let folder = fileURLToPath(new URL('.', import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = resolve(folder, '..')
    if (parent === folder) throw new InputError('there is no project around the program: name some files to read')
    folder = parent
  }
  return folder
}

/** The size is fixed when a log is created, so an existing log is opened as it is unless the user insists. */
function segmentBytes({ dir, segmentMb }: CommandLine): number | undefined {
  if (segmentMb !== undefined) return segmentMb * MEBIBYTE
  const isNew = dir === undefined || !existsSync(dir) || readdirSync(dir).length === 0
  return isNew ? NEW_LOG_SEGMENT_MB * MEBIBYTE : undefined
}

/** Errors with a code were made to be read; any other is a mistake in a program, and its stack helps to find it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof InputError) return error.message
  if ('code' in error && typeof error.code === 'string') return `${error.message} (${error.code})`
  return error.stack ?? error.message
}
