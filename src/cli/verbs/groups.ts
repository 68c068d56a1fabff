import path from 'node:path'
import type { GroupState } from '../../format/group-layout.js'
import { type Log, open } from '../../log/log.js'
import { loadSystemCalls } from '../../memory/system-calls.js'
import { ControlFile } from '../../storage/files/control-file.js'
import { nodeDisk } from '../../storage/files/disk.js'
import { FollowerGroups } from '../../storage/files/follower-groups.js'
import { GroupFile } from '../../storage/files/group-file.js'
import { directoryArgument } from '../arguments.js'
import { exitStatus, Failure } from '../failure.js'
import { print, printJson, terminal } from '../terminal.js'
import { textTable } from '../text-table.js'
import { counted, whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options {
  remove?: string
  json?: boolean
}

/** A group of the log itself, or of a follower. */
interface FoundGroupOf {
  topic: string
  group: string
  of: 'log' | 'follower'
  /** Undefined: its file is damaged. */
  state: GroupState | undefined
}

interface GroupRow {
  topic: string
  group: string
  of: 'log' | 'follower'
  committed: number | null
  next: number
  lag: number | null
}

export const groups: Verb = {
  name: 'groups',
  summary: 'how far consumer groups have come, those of followers too; forget one',
  description: `Lists the groups of a log with their lag, as of now also where the log is in use. With --remove it forgets a group: one of a follower
(see docs/processes.md) whose process is gone, also while the log is in use; one of the log itself only while nobody has it open. A group that
is forgotten does not hold back what retention by consumption would delete, and begins anew if it is used again.`,
  examples: `  bookend groups ./event-log
  bookend groups ./event-log --json | jq '.groups[] | select(.lag > 1000)'
  bookend groups ./event-log --remove old-tailer`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .option('--remove <group>', 'forget the group of that name, of every topic that has one')
      .option('--json', 'print JSON'),

  async run([given], { remove, json = false }: Options) {
    const directory = path.resolve(given)
    const found = findGroups(directory)
    if (remove !== undefined) {
      const removed = await removeAll(directory, remove, found)
      if (json) printJson({ directory, removed: removed.map(({ topic, group, of }) => ({ topic, group, of })) })
      else print(`Forgot ${counted(removed.length, 'group')} named ${remove}.`)
      return exitStatus.ok
    }
    const rows = await rowsOf(directory, found)
    if (json) printJson({ directory, groups: rows })
    else print(linesOf(rows).join('\n'))
    return exitStatus.ok
  },
}

function idOf(directory: string): string {
  const control = ControlFile.open(nodeDisk, directory, 'read')
  if (control === undefined) throw new Failure(`${directory} is not a Bookend log`, exitStatus.failed)
  control.close()
  return control.identity.id
}

function followerGroups(directory: string): FollowerGroups {
  return new FollowerGroups(nodeDisk, directory, idOf(directory), loadSystemCalls())
}

function findGroups(directory: string): FoundGroupOf[] {
  const file = GroupFile.open(nodeDisk, directory, idOf(directory), 'read')
  const own = file?.foreignMark === undefined ? (file?.read().groups ?? []) : []
  file?.close()
  return [
    ...own.map(({ topic, name, state }) => ({ topic, group: name, of: 'log' as const, state })),
    ...followerGroups(directory)
      .list()
      .map(({ topic, name, state }) => ({ topic, group: name, of: 'follower' as const, state })),
  ].sort((a, b) => compare(a.topic, b.topic) || compare(a.group, b.group) || compare(b.of, a.of))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

async function rowsOf(directory: string, found: readonly FoundGroupOf[]): Promise<GroupRow[]> {
  await using log = await open(directory, { readOnly: true, follow: true, readers: 1 })
  return await Promise.all(found.map((group) => rowOf(log, group)))
}

async function rowOf(log: Log, { topic, group, of, state }: FoundGroupOf): Promise<GroupRow> {
  const { first, next } = await log.topic(topic).bounds()
  if (state === undefined) return { topic, group, of, committed: null, next, lag: null }
  const ahead = state.ranges.reduce((sum, range) => sum + Math.max(0, range.end - Math.max(range.first, first)), 0)
  const committed = Math.max(state.committed, first)
  return { topic, group, of, committed, next, lag: Math.max(0, next - committed - ahead) }
}

/** Those of the log first: if they may not go, nothing does. */
async function removeAll(directory: string, name: string, found: readonly FoundGroupOf[]): Promise<FoundGroupOf[]> {
  const wanted = found.filter(({ group }) => group === name)
  if (wanted.length === 0) throw new Failure(`no topic of ${directory} has a group named ${name}`, exitStatus.failed)
  const own = wanted.filter(({ of }) => of === 'log')
  if (own.length > 0) {
    await using log = await open(directory, { readers: 1 })
    for (const { topic } of own) await log.topic(topic).group(name).remove()
  }
  const files = followerGroups(directory)
  for (const group of files.list().filter((each) => each.name === name)) files.forget(group)
  return wanted
}

function linesOf(rows: readonly GroupRow[]): string[] {
  if (rows.length === 0) return ['no groups']
  const [head, ...lines] = textTable(
    [
      { title: 'topic' },
      { title: 'group' },
      { title: 'of' },
      { title: 'committed', align: 'right' },
      { title: 'next', align: 'right' },
      { title: 'lag', align: 'right' },
    ],
    rows.map(({ topic, group, of, committed, next, lag }) => {
      const known =
        committed === null || lag === null ? ['damaged', whole(next), ''] : [committed, next, lag].map(whole)
      return [topic, group, of, ...known]
    }),
  )
  return [terminal().colors.dim(head), ...lines]
}
