import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { TopicDirectory } from '../../src/dispatcher/topic-directory.js'
import { TopicCells } from '../../src/ring/topic-cells.js'
import { topicState } from '../support/groups.js'

function directories() {
  const cells = new TopicCells(TopicCells.allocate())
  const owner = new TopicDirectory([topicState(0, 'a', 3), topicState(2, 'b', 0)], cells)
  return { cells, owner, attach: () => new TopicDirectory(owner.share(), cells) }
}

it('a topic of the log is declared for every thread, and one that another has only a number for is not', () => {
  const { owner, cells, attach } = directories()
  const mine = owner.handle('c')
  expect([mine.id, owner.numberFor(mine), mine.isInLog]).toEqual([-1, 3, false])
  const other = attach()
  expect([other.handle('a').id, other.handle('a').isInLog, other.handle('b').isInLog]).toEqual([0, true, true])
  const theirs = other.handle('c')
  expect([theirs.id, theirs.isDeclared, theirs.isInLog]).toEqual([3, false, false])
  cells.next(3).store(1)
  expect([theirs.isInLog, mine.isInLog]).toEqual([true, true])
})

it('what another thread has appended to is found, whichever knew its name first', () => {
  const { owner, cells, attach } = directories()
  const early = owner.handle('late')
  expect(early.id).toBe(-1)
  const other = attach()
  const id = other.numberFor(other.handle('late'))
  cells.next(id).store(1)
  expect([early.id, owner.handle('late').isInLog]).toEqual([id, true])
  expect(owner.names()).toEqual(['a', 'b', 'late'])
  expect([owner.nameOf(id), other.nameOf(0)]).toEqual(['late', 'a'])
})

it('a number alone makes no topic', () => {
  const { owner } = directories()
  owner.intern(owner.handle('with a group'))
  expect(owner.names()).toEqual(['a', 'b'])
})

it('a table that comes from another realm than the modules of this thread, as in tests that run in contexts, is one', () => {
  const { owner, cells } = directories()
  const shared = owner.share()
  const foreign = runInNewContext(`new SharedArrayBuffer(${shared.byteLength})`) as SharedArrayBuffer
  expect(foreign instanceof SharedArrayBuffer).toBe(false)
  new Uint8Array(foreign).set(new Uint8Array(shared))
  expect(new TopicDirectory(foreign, cells).handle('a').id).toBe(0)
})
