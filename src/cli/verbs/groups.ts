import path from 'node:path'
import { open } from '../../log/log.js'
import { placeArgument } from '../arguments.js'
import { exitStatus, Failure } from '../failure.js'
import { findGroups, followerGroups, type GroupRow, type ListedGroup, rowsAt } from '../group-rows.js'
import { openToRead } from '../open-log.js'
import { isUrl } from '../servers.js'
import { print, printJson, terminal } from '../terminal.js'
import { textTable } from '../text-table.js'
import { counted, whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options {
  remove?: string
  json?: boolean
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
      .argument(...placeArgument)
      .option('--remove <group>', 'forget the group of that name, of every topic that has one')
      .option('--json', 'print JSON'),

  async run([given], { remove, json = false }: Options) {
    if (remove !== undefined) return forget(given, remove, json)
    await using log = await openToRead(given)
    const rows = await rowsAt(given, log)
    if (json) printJson({ directory: log.directory, groups: rows })
    else print(linesOf(rows).join('\n'))
    return exitStatus.ok
  },
}

async function forget(given: string, name: string, json: boolean): Promise<number> {
  if (isUrl(given)) throw new Failure('--remove is for logs in a directory', exitStatus.usage)
  const directory = path.resolve(given)
  const removed = await removeAll(directory, name, findGroups(directory))
  if (json) printJson({ directory, removed: removed.map(({ topic, group, of }) => ({ topic, group, of })) })
  else print(`Forgot ${counted(removed.length, 'group')} named ${name}.`)
  return exitStatus.ok
}

/** Those of the log first: if they may not go, nothing does. */
async function removeAll(directory: string, name: string, found: readonly ListedGroup[]): Promise<ListedGroup[]> {
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
