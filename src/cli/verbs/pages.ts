import path from 'node:path'
import { PublishedNow } from '../../local/follower/published-now.js'
import { viewPages } from '../../local/log-pages.js'
import { findExtent } from '../../storage/check/log-extent.js'
import { nodeDisk } from '../../storage/files/disk.js'
import { directoryArgument, positive, seconds } from '../arguments.js'
import { exitStatus } from '../failure.js'
import { pagesScreen, stripCells } from '../pages-screen.js'
import { print, printJson, terminal } from '../terminal.js'
import type { Verb } from '../verb.js'
import { watchAsText, watchOnScreen } from '../watch.js'

interface Options {
  watch?: number | true
  lines?: number
  json?: boolean
}

/** Title, head, totals, legend, and the lines between. */
const screenFrame = 6
const plainLines = 100
const defaultWatchSeconds = 1
/** For programs: fine enough to see both ends, coarse enough to be read. */
const jsonParts = 64

export const pages: Verb = {
  name: 'pages',
  summary: 'which pages of the log are in memory, and who maps them',
  description: `Draws a line per segment: its state (sparse: sealed, and written anew without what nobody needed; packed: how many times smaller is said behind it), a strip of its pages that are in memory, and the mappings of the process that
has the log open (rw: its writer, r: its readers). Works beside a running owner without disturbing it: it takes no lock
and touches no page.`,
  examples: `  bookend pages ./event-log
  bookend pages ./event-log --watch 0.5
  bookend pages ./event-log --json | jq '.segments[].residentBytes'`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .option('-w, --watch [seconds]', 'draw again every so often (default: 1), until Ctrl-C', seconds)
      .option('-n, --lines <count>', 'at most so many lines for segments (default: what fits)', positive)
      .option('--json', 'print JSON'),

  async run([given], options: Options) {
    const directory = path.resolve(given)
    // Before the first look: a directory that is no log is not waited for.
    findExtent({ disk: nodeDisk, directory, isLive: true })
    const published = await PublishedNow.open(nodeDisk, directory)
    try {
      return await show(directory, published, options)
    } finally {
      published.close()
    }
  },
}

async function show(directory: string, published: PublishedNow, options: Options): Promise<number> {
  const look = (partsFor: (last: number) => number) => viewPages(nodeDisk, directory, partsFor, published.position)
  const lookForPrograms = () => look(() => jsonParts)
  const lines = (): string[] => {
    const screen = terminal()
    const view = look((last) => stripCells(screen, last))
    const maxRows = options.lines ?? (screen.isInteractive ? Math.max(3, screen.rows - screenFrame) : plainLines)
    return pagesScreen(view, screen, maxRows)
  }
  const { watch } = options
  if (watch === undefined) {
    if (options.json) printJson(lookForPrograms())
    else print(lines().join('\n'))
    return exitStatus.ok
  }
  const intervalMs = (watch === true ? defaultWatchSeconds : watch) * 1000
  if (options.json) await watchAsText(() => print(JSON.stringify(lookForPrograms())), intervalMs)
  else if (terminal().isInteractive) await watchOnScreen(lines, intervalMs)
  else await watchAsText(() => print(`${lines().join('\n')}\n`), intervalMs)
  return exitStatus.ok
}
