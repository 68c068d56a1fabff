import { expect, it } from 'vitest'
import { Acknowledgements } from '../../../src/dispatcher/appends/acknowledgements.js'
import { wakes } from '../../../src/dispatcher/watch.js'
import { frameKind, frameWord, tailWord } from '../../../src/format/frame-layout.js'
import { RingMemory } from '../../../src/ring/append-ring.js'
import { allocateSharedState, openSharedState, writerState } from '../../../src/ring/shared-state.js'
import { outcomeOf } from '../../support/groups.js'

const frame = 64

function world() {
  const state = openSharedState(allocateSharedState())
  const memory = new RingMemory(RingMemory.allocate(1 << 16))
  const watch = { register: () => {}, begin: () => {} }
  const acknowledgements = new Acknowledgements({ state, memory, watch, directory: '/log' })
  const add = (index: number, level: 'process' | 'disk') =>
    outcomeOf(
      new Promise<number>((resolve, reject) =>
        acknowledgements.add((index + 1) * frame, index * frame, level, resolve, reject),
      ),
    )
  /** What the writer stamps into a frame. */
  const stamp = (index: number, offset: number, kind: number = frameKind.data) => {
    memory.words[((index * frame) >>> 2) + frameWord.offsetLow] = offset
    memory.words[((index * frame) >>> 2) + frameWord.tail] = tailWord(0, kind, 0)
  }
  return { state, acknowledgements, add, stamp }
}

const turn = () => new Promise(setImmediate)

it('an append is told its offset when the head has passed all of it, at level disk when its flush has as well', async () => {
  const { state, acknowledgements, add, stamp } = world()
  const [first, second] = [add(0, 'disk'), add(1, 'process')]
  expect(acknowledgements.wakesAt()).toBe(wakes.withEveryBatch)
  stamp(0, 70)
  stamp(1, 71)
  state.ringHead.store(2 * frame - 1)
  state.flushedTo.store(frame - 1)
  acknowledgements.settle()
  await turn()
  expect([first.state, second.state]).toEqual(['pending', 'pending'])
  state.ringHead.store(2 * frame)
  acknowledgements.settle()
  await turn()
  expect([first.state, second.state]).toEqual(['pending', 'done'])
  // The reaper rings in any case.
  expect(acknowledgements.wakesAt()).toBe(wakes.anyway)
  state.flushedTo.store(frame)
  acknowledgements.settle()
  await turn()
  expect(first.state).toBe('done')
  expect([acknowledgements.count, acknowledgements.wakesAt()]).toEqual([0, wakes.never])
})

it('its space is not given up before its offset has been read', async () => {
  const { state, acknowledgements, stamp } = world()
  const offset = new Promise<number>((resolve, reject) => acknowledgements.add(frame, 0, 'process', resolve, reject))
  stamp(0, 70)
  state.ringHead.store(frame)
  expect(acknowledgements.settledHead()).toBe(frame)
  stamp(0, 99)
  expect(await offset).toBe(70)
})

it('on a full disk those are refused that the writer has refused, and the others go on waiting in their order', async () => {
  const { state, acknowledgements, add, stamp } = world()
  const [cancelled, behind, flush] = [add(0, 'disk'), add(1, 'process'), add(2, 'process')]
  stamp(0, 0, frameKind.cancelled)
  stamp(1, 0)
  stamp(2, 0)
  state.cancelledTo.store(2 * frame)
  acknowledgements.proceed()
  await turn()
  expect(cancelled.state).toBe('pending')
  state.writerState.store(writerState.noSpace)
  state.writerErrno.store(28)
  acknowledgements.proceed()
  await turn()
  expect(cancelled).toMatchObject({ state: 'failed', error: { code: 'BOOKEND_NO_SPACE' } })
  expect([behind.state, flush.state, acknowledgements.count]).toEqual(['pending', 'pending', 2])
  expect(acknowledgements.wakesAt()).toBe(wakes.withEveryBatch)
})

it('a flush asks the reaper and waits for the position that was published then', async () => {
  const { state, acknowledgements } = world()
  const flush = () => outcomeOf(new Promise<void>((resolve, reject) => acknowledgements.addFlush(resolve, reject)))
  const nothing = flush()
  state.published.store(500)
  const waiting = flush()
  expect(state.flushRequest.load()).toBe(1)
  state.published.store(900)
  state.durable.store(499)
  acknowledgements.settle()
  await turn()
  expect([nothing.state, waiting.state]).toEqual(['done', 'pending'])
  state.durable.store(500)
  acknowledgements.settle()
  await turn()
  expect(waiting.state).toBe('done')
})
