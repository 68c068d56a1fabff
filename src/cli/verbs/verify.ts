import path from 'node:path'
import { directoryArgument, positive } from '../arguments.js'
import { damageLines, lossText, remarkLines } from '../damage-lines.js'
import { exitStatus } from '../failure.js'
import { withInterrupt } from '../interrupt.js'
import { verifyProgress } from '../progress.js'
import { print, printJson, terminal } from '../terminal.js'
import { bytes, counted, whole } from '../units.js'
import type { Verb } from '../verb.js'
import { type Verified, verifyLog } from '../verify-pool.js'

interface Options {
  threads?: number
  json?: boolean
}

export const verify: Verb = {
  name: 'verify',
  summary: 'read everything, report each damage',
  description: `Reads every byte of the log and checks it: control file, headers, both checksums of every batch, every frame, that the
offsets of each topic follow one another, every index entry against the message it points to, and the groups file. Changes nothing. A log
that is open is checked as far as its control file says it was published.`,
  examples: `  bookend verify ./event-log
  bookend verify ./event-log --json > report.json`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .option('-t, --threads <count>', 'threads to check with (default: one for each core)', positive)
      .option('--json', 'print JSON'),

  async run([given], { threads, json = false }: Options) {
    const directory = path.resolve(given)
    const verified = await withInterrupt((signal) =>
      verifyLog({ directory, threads, progress: verifyProgress(json), signal }),
    )
    const { report, owner } = verified
    if (json) printJson({ ...report, owner, isWhole: report.damages.length === 0 })
    else printReport(verified)
    return report.damages.length === 0 ? exitStatus.ok : exitStatus.failed
  },
}

function printReport({ report, owner }: Verified): void {
  const { colors } = terminal()
  const { damages, remarks } = report
  const groups = report.groups > 0 ? `, ${counted(report.groups, 'group')}` : ''
  const lines = [
    `${colors.bold(report.directory)}: ${counted(report.segments, 'segment')}, ${bytes(report.bytes)}, ${counted(report.batches, 'batch', 'batches')}, ${counted(report.messages, 'message')}, ${counted(report.topics, 'topic')}${groups}`,
  ]
  if (report.isLive) {
    const who =
      owner.state === 'unknown'
        ? 'Whether it is open cannot be told'
        : `It is open${owner.pid === undefined ? '' : ` in process ${owner.pid}`}`
    lines.push(`${who}: checked up to position ${whole(report.verifiedTo)}, what its control file says is published.`)
  }
  lines.push(...damageLines(damages, colors), ...remarkLines(remarks, colors))
  if (damages.length === 0) lines.push(colors.green('No damage.'))
  else {
    const advice = report.isLive ? 'close it, then see' : 'see'
    lines.push(
      `${colors.red(counted(damages.length, 'damage'))}, ${lossText(damages)}; ${advice} bookend repair --dry-run ${report.directory}`,
    )
  }
  print(lines.join('\n'))
}
