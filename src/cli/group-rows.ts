/** The groups of a log and of its followers, as their files have them: also of a log that another process has open. */
import type { GroupState } from '../format/group-layout.js'
import type { Log } from '../log/log.js'
import { loadSystemCalls } from '../memory/system-calls.js'
import { ControlFile } from '../storage/files/control-file.js'
import { nodeDisk } from '../storage/files/disk.js'
import { FollowerGroups } from '../storage/files/follower-groups.js'
import { GroupFile } from '../storage/files/group-file.js'
import { exitStatus, Failure } from './failure.js'
import { isUrl } from './servers.js'

/** A group of the log itself, or of a follower. */
export interface ListedGroup {
  topic: string
  group: string
  of: 'log' | 'follower'
  /** Undefined: its file is damaged. */
  state: GroupState | undefined
}

export interface GroupRow {
  topic: string
  group: string
  of: 'log' | 'follower'
  committed: number | null
  next: number
  lag: number | null
}

function idOf(directory: string): string {
  const control = ControlFile.open(nodeDisk, directory, 'read')
  if (control === undefined) throw new Failure(`${directory} is not a Bookend log`, exitStatus.failed)
  control.close()
  return control.identity.id
}

export function followerGroups(directory: string): FollowerGroups {
  return new FollowerGroups(nodeDisk, directory, idOf(directory), loadSystemCalls())
}

export function findGroups(directory: string): ListedGroup[] {
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

/** With how far each of them has come, by the ends of topics that `log` sees. */
export function groupRows(log: Log, found: readonly ListedGroup[]): Promise<GroupRow[]> {
  return Promise.all(found.map((group) => rowOf(log, group)))
}

/** The same, of a log wherever it is. @param place as it was given */
export async function rowsAt(place: string, log: Log): Promise<GroupRow[]> {
  if (!isUrl(place)) return groupRows(log, findGroups(log.directory))
  const rows = (await log.groups()).map(async ({ topic, name, committed, lag }) => {
    const { next } = await log.topic(topic).bounds()
    return { topic, group: name, of: 'log' as const, committed, next, lag }
  })
  return Promise.all(rows)
}

async function rowOf(log: Log, { topic, group, of, state }: ListedGroup): Promise<GroupRow> {
  const { first, next } = await log.topic(topic).bounds()
  if (state === undefined) return { topic, group, of, committed: null, next, lag: null }
  const ahead = state.ranges.reduce((sum, range) => sum + Math.max(0, range.end - Math.max(range.first, first)), 0)
  const committed = Math.max(state.committed, first)
  return { topic, group, of, committed, next, lag: Math.max(0, next - committed - ahead) }
}
