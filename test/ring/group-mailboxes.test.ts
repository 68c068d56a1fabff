import fc from 'fast-check'
import { expect, it, onTestFinished, vi } from 'vitest'
import { GroupMailboxes } from '../../src/ring/group-mailboxes.js'

it('knows the lowest offset of the groups of each topic, as others make, move and remove them', () => {
  const topic = fc.integer({ min: -1, max: 4 })
  const step = fc.record({ group: fc.nat(9), topic: fc.option(topic, { nil: undefined }), committed: fc.nat(99) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const shared = GroupMailboxes.allocate()
      const dispatcher = new GroupMailboxes(shared)
      const reaper = new GroupMailboxes(shared)
      const groups = new Map<number, { topic: number; committed: number }>()
      for (const { group, topic: of, committed } of steps) {
        dispatcher.markWritten(group, 1, committed)
        if (of === undefined) dispatcher.forget(group)
        else dispatcher.setTopic(group, of)
        if (of === undefined) groups.delete(group)
        else groups.set(group, { topic: of, committed })
        for (let id = 0; id <= 4; id++) {
          const offsets = [...groups.values()].filter((each) => each.topic === id).map((each) => each.committed)
          expect(reaper.lowestWritten(id)).toBe(offsets.length === 0 ? undefined : Math.min(...offsets))
        }
      }
    }),
  )
})

it('asks no group about the topics of others', () => {
  const shared = GroupMailboxes.allocate()
  const reaper = new GroupMailboxes(shared)
  new GroupMailboxes(shared).setTopic(17, 3)
  reaper.lowestWritten(0)
  const load = vi.spyOn(Atomics, 'load')
  onTestFinished(() => load.mockRestore())
  for (let topic = 0; topic < 1_000; topic++) reaper.lowestWritten(topic)
  // Each asks whether anything has changed; one of them has a group.
  expect(load.mock.calls.length).toBeLessThanOrEqual(1_001)
})
