/** The two threads' sides of the groups file, over the shared words of a test: the reaper's keeper, and the writer's commits. */
import { GroupMailboxes } from '../../src/ring/group-mailboxes.js'
import type { Disk } from '../../src/storage/files/disk.js'
import { GroupFile } from '../../src/storage/files/group-file.js'
import type { Owner } from '../../src/storage/files/ownership.js'
import { GroupKeeper } from '../../src/threads/reaper/group-keeper.js'
import { CommitWriter } from '../../src/threads/writer/commit-writer.js'
import type { SharedWords } from './shared-words.js'
import { soleOwner } from './worlds.js'

export interface GroupKeepingParts {
  words: Pick<SharedWords, 'state' | 'lane'>
  disk: Disk
  directory: string
  logId: string
  owner?: Owner
  flushIntervalMs: number
  nowMs(): number
  onFailure(error: unknown): void
}

export function groupKeeping({ words, owner = soleOwner, ...parts }: GroupKeepingParts) {
  const { state, lane } = words
  const { disk, directory, logId } = parts
  const mailboxes = new GroupMailboxes(GroupMailboxes.allocate())
  const shared = { state, application: lane.bell, mailboxes }
  const keeper = new GroupKeeper({ ...shared, ...parts, owner })
  const writer = new CommitWriter({ ...shared, openFile: () => GroupFile.open(disk, directory, logId, 'write') })
  return { mailboxes, keeper, writer }
}
