import { MessageChannel } from 'node:worker_threads'
import { it, onTestFinished } from 'vitest'
import { AppendSide } from '../../src/dispatcher/append-side.js'
import { closedError } from '../../src/dispatcher/failure.js'
import { GroupCommits } from '../../src/dispatcher/group-commits.js'
import { KeepAlive } from '../../src/dispatcher/keep-alive.js'
import { TopicDirectory, type TopicHandle } from '../../src/dispatcher/topic-directory.js'
import { RingMemory, RingProducer } from '../../src/ring/append-ring.js'
import { GroupMailboxes } from '../../src/ring/group-mailboxes.js'
import { allocateSharedState, openSharedState } from '../../src/ring/shared-state.js'
import { TopicCells } from '../../src/ring/topic-cells.js'

it('a message published while a reader decides to wait for it wakes the reader', async () => {
  const state = openSharedState(allocateSharedState())
  const cells = new TopicCells(new SharedArrayBuffer(64 * 16))
  const { port1, port2 } = new MessageChannel()
  const keepAlive = new KeepAlive()
  const topics = new TopicDirectory([])
  const noGroups = () => Promise.reject(new Error('no group is made here'))
  const commits = new GroupCommits({
    ...{ state, topics, keepAlive, directory: '/log', durability: 'process', readOnly: false, groups: [] },
    mailboxes: new GroupMailboxes(GroupMailboxes.allocate()),
    control: { createGroup: noGroups, removeGroup: noGroups },
  })
  const appends = new AppendSide({
    state,
    ring: new RingProducer(new RingMemory(RingMemory.allocate(64 << 10)), state.ringTail, state.ringHead),
    cells,
    topics,
    commits,
    bulk: port1,
    directory: '/log',
    segmentBytes: 1 << 20,
    keepAlive,
  })
  onTestFinished(() => {
    appends.fail(closedError('/log'))
    keepAlive.end()
    port1.close()
    port2.close()
  })
  const cell = cells.next(0)
  const load = cell.load.bind(cell)
  // The writer thread publishes right behind the n-th look, whichever that is.
  for (const looks of [1, 2, 3]) {
    const offset = load()
    let count = 0
    cell.load = () => {
      const seen = load()
      count += 1
      if (count === looks) {
        cell.store(offset + 1)
        state.dispatcher.ringIfAsleep()
      }
      return seen
    }
    await new Promise<void>((resolve, reject) => {
      appends.whenNext({ name: 't', id: 0 } as TopicHandle, offset, resolve, reject)
    })
  }
})
