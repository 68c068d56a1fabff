/** Groups for a desk without a log: what is asked for is done at once, and in memory. */
import { AckJournal } from '../../src/dispatcher/groups/ack-journal.js'
import type { DeskParts } from '../../src/dispatcher/groups/group-desk.js'
import type { StoredGroup } from '../../src/dispatcher/groups/group-entry.js'
import type { TopicHandle } from '../../src/dispatcher/topic-directory.js'
import type { GroupState } from '../../src/format/group-layout.js'

export interface StoredGroups extends Pick<DeskParts, 'registry' | 'commits'> {
  readonly topic: { readonly id: number; readonly name: string }
  readonly name: string
}

/** Nothing was acknowledged in a transaction. */
export function emptyJournal(): AckJournal {
  return new AckJournal({ id: -1, name: '.a.0' } as TopicHandle, () => 0, 0)
}

/** One group of one topic, which is there until it is removed. */
export function storedGroup(
  { topic = { id: 0, name: 't' }, name = 'g', committed = 0 } = {},
  onCommit: (state: GroupState) => Promise<void> = async () => {},
): StoredGroups {
  const made = (): StoredGroup => ({
    id: 0,
    topic: topic.name,
    name,
    state: { committed, ranges: [] },
    journal: emptyJournal(),
  })
  let stored: StoredGroup | undefined = made()
  return {
    topic,
    name,
    registry: {
      known: () => stored,
      open: async () => {
        stored ??= made()
        return stored
      },
      remove: async () => {
        stored = undefined
      },
    },
    commits: { commit: (_, state) => onCommit(state) },
  }
}
