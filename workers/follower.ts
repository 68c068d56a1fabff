/** Entry of the thread that follows a log which another process has open. */
import { parentPort, workerData } from 'node:worker_threads'
import { BookendError } from '../src/errors.js'
import { setOf } from '../src/format/features.js'
import { unknownLogId } from '../src/format/log-id.js'
import { FileMemory } from '../src/memory/file-window.js'
import { loadSystemCalls } from '../src/memory/system-calls.js'
import { GroupMailboxes } from '../src/ring/group-mailboxes.js'
import { LaneTable, ownerLane } from '../src/ring/lane-table.js'
import { LoadingWords } from '../src/ring/loading-words.js'
import { sharedClockMs } from '../src/ring/shared-clock.js'
import { openSharedState, type SharedState } from '../src/ring/shared-state.js'
import { SlotTable } from '../src/ring/slot-table.js'
import { TopicCells } from '../src/ring/topic-cells.js'
import { BellFile } from '../src/storage/files/bell-file.js'
import { ControlFile, readBootId } from '../src/storage/files/control-file.js'
import { nodeDisk } from '../src/storage/files/disk.js'
import { FollowerFolder } from '../src/storage/files/follower-folder.js'
import { FollowerGroups } from '../src/storage/files/follower-groups.js'
import { GroupFile } from '../src/storage/files/group-file.js'
import { findOwner } from '../src/storage/files/log-owner.js'
import { SegmentFiles } from '../src/storage/files/segment-files.js'
import { SegmentWindows } from '../src/storage/files/segment-windows.js'
import { watchPath } from '../src/storage/files/watched-path.js'
import { FirstOffsets } from '../src/storage/follow/first-offsets.js'
import { endOfLeft } from '../src/storage/follow/left-behind.js'
import { LogWalk } from '../src/storage/follow/log-walk.js'
import { hasFooter } from '../src/storage/index/sealed-index.js'
import { serve } from '../src/threads/control-plane.js'
import { FollowedTopics } from '../src/threads/follower/followed-topics.js'
import { FollowedWords } from '../src/threads/follower/followed-words.js'
import { Follower } from '../src/threads/follower/follower.js'
import { runFollower } from '../src/threads/follower/follower-loop.js'
import type { FollowerControl, FollowerData, FollowerNews } from '../src/threads/follower/follower-protocol.js'
import { GroupPositions } from '../src/threads/follower/group-positions.js'
import { enterRemains } from '../src/threads/own-remains.js'
import { endOnRejection } from '../src/threads/own-threads.js'
import type { OpenedLog } from '../src/threads/protocol.js'

/** An owner at work answers within milliseconds; one that is stopped, or of another make, is not waited for longer. */
const greetingMs = 1_000
const greetingLookMs = 5
/** What a look for first offsets keeps open. */
const maxWindows = 4

endOnRejection()
const { shared, flushIntervalMs, news } = workerData as FollowerData
const { directory } = shared
const calls = new LoadingWords(shared.loading).during(loadSystemCalls)
enterRemains(shared.remains)
const application = new LaneTable(shared.lanes).open(ownerLane).bell
const nowMs = () => performance.now()
let end: (() => Promise<void>) | undefined
let groups: GroupPositions | undefined
let logId = unknownLogId

const control: FollowerControl = {
  async start(opened) {
    // Not before: the words are the reaper's until it has opened the log.
    const state = openSharedState(shared.state, 'writer', 'reaper', 'flusher')
    logId = opened.id
    const before = hearBell(logId)
    const registration = register()
    const { follower, topics } = followerOf(opened, state, registration.unregistered)
    const positions = new GroupPositions({
      state,
      application,
      mailboxes: new GroupMailboxes(shared.groups),
      groups: new FollowerGroups(nodeDisk, directory, opened.id, calls),
      directory,
      nextOf: (topic) => topics.nextOf(topic),
      flushIntervalMs,
      nowMs,
    })
    follower.look()
    // Who has come is told where the log stands: everything that was acknowledged before is known then.
    const deadline = nowMs() + greetingMs
    const isExpected = registration.unregistered === undefined && findOwner(directory).state !== 'none'
    while (isExpected && follower.sequence === before && nowMs() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, greetingLookMs))
      follower.look()
    }
    let isClosing = false
    const done = runFollower({ state, follower, groups: positions, flushIntervalMs, isClosing: () => isClosing })
    groups = positions
    end = async () => {
      isClosing = true
      state.writer.ring()
      await done
      follower.close()
      await positions.close()
      registration.close()
    }
    return follower.hearing
  },
  takeGroup(topic, name, committed) {
    return started(groups).take(topic, name, committed)
  },
  removeGroup(id) {
    return started(groups).remove(id)
  },
  stateOf(topic, name) {
    const ofOwner = () => ownersGroups().find((group) => group.topic === topic && group.name === name)?.state
    return started(groups).stateOf(topic, name) ?? ofOwner()
  },
  groupNames() {
    return [...started(groups).names(), ...ownersGroups().map(({ topic, name }) => ({ topic, name }))]
  },
  async close() {
    await end?.()
    news.close()
    // The answer has to leave first.
    setImmediate(() => parentPort?.close())
  },
}
if (parentPort === null) throw new Error('a follower runs in a worker thread')
serve(control, parentPort)

function started(positions: GroupPositions | undefined): GroupPositions {
  if (positions === undefined) throw new Error('a follower is started before it has groups')
  return positions
}

/** The groups of the log itself, which its owner has: looked at only. */
function ownersGroups() {
  const file = GroupFile.open(nodeDisk, directory, logId, 'read')
  try {
    return file?.read().groups ?? []
  } finally {
    file?.close()
  }
}

function hearBell(id: string): number {
  const bell = BellFile.forHearing(nodeDisk, directory, id)
  const sequence = bell?.read()?.sequence ?? 0
  bell?.close()
  return sequence
}

function register(): { unregistered: string | undefined; close(): void } {
  try {
    return { unregistered: undefined, ...new FollowerFolder(nodeDisk, directory, calls).register() }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return { unregistered: `the folder followers cannot be written to (${code})`, close() {} }
  }
}

function readControl(id: string, state: SharedState<'reaper'>) {
  const file = ControlFile.open(nodeDisk, directory, 'read')
  if (file === undefined) return undefined
  file.close()
  if (file.identity.id !== id) {
    throw new BookendError('BOOKEND_FORMAT', `its control file is that of another log (${file.identity.id})`)
  }
  // The owner may have begun to write something that the log did not have before.
  state.featuresStated.store(setOf(file.identity.features))
  return file.found
}

function followerOf(
  opened: OpenedLog,
  state: SharedState<'writer' | 'reaper' | 'flusher'>,
  unregistered: string | undefined,
) {
  const { id, segmentBytes } = opened
  const files = new SegmentFiles(nodeDisk, directory, segmentBytes, id)
  const memory = new FileMemory()
  const windows = new SegmentWindows(memory, memory, files, new SlotTable(shared.slots), 'read', maxWindows)
  const published = state.published.load()
  const trim = state.trim.load()
  const send = (message: FollowerNews) => news.postMessage(message)
  const topics = new FollowedTopics({
    cells: new TopicCells(shared.topics),
    firsts: new FirstOffsets(nodeDisk, files, windows, trim, () => state.indexed.load()),
    segmentOf: (position) => files.segmentOf(position),
    firstTopics: opened.topics,
    onNew: (id, name) => send({ type: 'topic', id, name }),
  })
  const follower = new Follower({
    state,
    application,
    words: new FollowedWords(state, 'writer'),
    topics,
    files,
    directory,
    bootId: readBootId(),
    known: { epoch: readControl(id, state)?.epoch ?? 0, published, trim },
    walk: new LogWalk(nodeDisk, files, published),
    unregistered,
    readControl: () => readControl(id, state),
    listRepairs: () => nodeDisk.list(`${directory}/damaged`),
    findOwner: () => findOwner(directory).state,
    openBell: () => BellFile.forHearing(nodeDisk, directory, id),
    watchBell: (onChange) => watchPath(BellFile.path(directory), onChange),
    endOfLeft: (record) => endOfLeft(nodeDisk, memory, files, record, readBootId()),
    hasFooter: (segment) => hasFooter(nodeDisk, files, segment),
    send,
    nowMs,
    sharedMs: sharedClockMs,
  })
  return { follower, topics }
}
