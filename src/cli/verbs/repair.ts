import path from 'node:path'
import { BookendError } from '../../errors.js'
import { LockFile } from '../../local/lock-file.js'
import { FileMemory } from '../../memory/file-window.js'
import { loadSystemCalls } from '../../memory/system-calls.js'
import { findExtent } from '../../storage/check/log-extent.js'
import { repair as repairLog } from '../../storage/check/repair-log.js'
import { planRepair, type RepairPlan } from '../../storage/check/repair-plan.js'
import type { LogReport } from '../../storage/check/verify-log.js'
import { readBootId } from '../../storage/files/control-file.js'
import { nodeDisk } from '../../storage/files/disk.js'
import { findOwner } from '../../storage/files/log-owner.js'
import { takeLocks } from '../../storage/files/ownership.js'
import { directoryArgument } from '../arguments.js'
import { damageLines, lostCount, remarkLines } from '../damage-lines.js'
import { exitStatus } from '../failure.js'
import { verifyProgress } from '../progress.js'
import { print, printJson, terminal } from '../terminal.js'
import { bytes, counted } from '../units.js'
import type { Verb } from '../verb.js'
import { type Verified, verifyLog } from '../verify-pool.js'

interface Options {
  dryRun?: boolean
  json?: boolean
}

export const repair: Verb = {
  name: 'repair',
  summary: 'set damage aside, make indexes and control file anew',
  description: `Mends a log that nobody has open. Nothing is destroyed: every byte that is replaced is copied into a folder below
damaged/ first, with a manifest. What is whole stays where it is, with its offsets; what is lost stays lost, and reads of it
fail with BOOKEND_CORRUPT as before. It may be interrupted at any moment: run again, it finishes.`,
  examples: `  bookend repair ./event-log --dry-run
  bookend repair ./event-log`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .option('-n, --dry-run', 'say what would be done, and change nothing')
      .option('--json', 'print JSON'),

  async run([given], { dryRun = false, json = false }: Options) {
    const directory = path.resolve(given)
    // Before the lock file is made: a directory that is no log is left as it is.
    findExtent({ disk: nodeDisk, directory, isLive: true })
    if (dryRun) {
      const owner = findOwner(directory)
      if (owner.state === 'running') throw lockedError(directory, owner.signature)
      return await show(directory, json)
    }
    return await withLock(directory, () => mend(directory, json))
  },
}

async function withLock<R>(directory: string, work: () => Promise<R>): Promise<R> {
  const lock = await LockFile.open(directory)
  try {
    // There may be none, or one that is damaged.
    await lock.openControl()
    if (!takeLocks(loadSystemCalls(), lock.files)) throw lock.lockedError(directory)
    await lock.sign()
    return await work()
  } finally {
    await lock.close()
  }
}

function lockedError(directory: string, signature: string): BookendError {
  return new BookendError(
    'BOOKEND_LOCKED',
    `the log in ${directory} is open in another owner (${signature}): close it there first`,
  )
}

async function show(directory: string, json: boolean): Promise<number> {
  const { plan, verified } = await planOf(directory, json)
  if (json) printJson(asJson(verified.report, plan, undefined))
  else print([...found(plan, verified.report), ...intent(plan, 'would')].join('\n'))
  return plan.damages.length === 0 ? exitStatus.ok : exitStatus.failed
}

async function mend(directory: string, json: boolean): Promise<number> {
  const { plan, verified } = await planOf(directory, json)
  const { extent, report } = verified
  if (!json) print([...found(plan, report), ...intent(plan, 'will')].join('\n'))
  const tools = { disk: nodeDisk, files: extent.files, memory: new FileMemory(), calls: loadSystemCalls() }
  const folder = repairLog(tools, extent, plan, new Date(), (what) => {
    if (!json) print(`  ${what}`)
  })
  const { segments, strangers, control, groups } = plan
  if (segments.length + strangers.length === 0 && control === undefined && groups === undefined) {
    if (json) printJson(asJson(report, plan, undefined))
    return plan.damages.length === 0 ? exitStatus.ok : exitStatus.failed
  }
  // The proof is the same check as before.
  const after = (await verifyLog({ directory, threads: undefined, progress: verifyProgress(json), isOwner: true }))
    .report
  if (json) printJson({ ...asJson(report, plan, folder), after })
  else
    print(after.damages.length === 0 ? outcome(after) : [...damageLines(after.damages, terminal().colors)].join('\n'))
  return after.damages.length === 0 ? exitStatus.ok : exitStatus.failed
}

async function planOf(directory: string, json: boolean): Promise<{ plan: RepairPlan; verified: Verified }> {
  const verified = await verifyLog({ directory, threads: undefined, progress: verifyProgress(json), isOwner: true })
  const { extent, reports, groups, report } = verified
  return {
    plan: planRepair(nodeDisk, extent, reports, groups, report.damages, readBootId()),
    verified,
  }
}

function found(plan: RepairPlan, { directory, remarks }: LogReport): string[] {
  const { colors } = terminal()
  if (plan.damages.length === 0) {
    return [
      ...remarkLines(remarks, colors),
      `${colors.bold(directory)}: ${colors.green('no damage')}, nothing to repair.`,
    ]
  }
  return damageLines(plan.damages, colors)
}

function intent(plan: RepairPlan, word: 'would' | 'will'): string[] {
  if (plan.damages.length === 0) return []
  const lines: string[] = []
  if (plan.strangers.length > 0)
    lines.push(`${word} give ${counted(plan.strangers.length, 'segment')} of other logs another name (.aside)`)
  const size = plan.setAside.reduce((sum, { from, to }) => sum + to - from, 0)
  if (plan.setAside.length > 0) {
    lines.push(`${word} set aside ${counted(plan.setAside.length, 'range')}, ${bytes(size)}, below damaged/`)
  }
  if (plan.segments.length > 0) lines.push(`${word} build ${counted(plan.segments.length, 'segment')} anew, with index`)
  if (plan.control !== undefined) lines.push(`${word} make the control file anew`)
  if (plan.groups !== undefined) lines.push(`${word} make the groups file anew`)
  if (plan.left.length > 0) lines.push(`cannot mend ${counted(plan.left.length, 'damage')}: reads of it go on failing`)
  return lines
}

function outcome({ remarks }: LogReport): string {
  const lost = lostCount(remarks.filter(({ kind }) => kind === 'gap'))
  const { green } = terminal().colors
  return `${green('Repaired.')} ${lost === 0 ? 'No message is known to be lost.' : `${counted(lost, 'message')} stay lost; everything else is readable.`}`
}

function asJson(report: LogReport, plan: RepairPlan, folder: string | undefined) {
  return {
    directory: report.directory,
    damages: plan.damages,
    setAside: plan.setAside,
    segments: plan.segments.map(({ segment }) => segment),
    strangers: plan.strangers,
    control: plan.control !== undefined,
    groups: plan.groups !== undefined,
    left: plan.left,
    folder: folder ?? null,
  }
}
