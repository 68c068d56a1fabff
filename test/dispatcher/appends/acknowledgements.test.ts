import { expect, it } from 'vitest'
import { Acknowledgements } from '../../../src/dispatcher/appends/acknowledgements.js'
import { wakes } from '../../../src/dispatcher/watch.js'
import { frameKind, frameWord, tailWord } from '../../../src/format/frame-layout.js'
import { RingMemory } from '../../../src/ring/append-ring.js'
import { writerState } from '../../../src/ring/shared-state.js'
import { outcomeOf } from '../../support/groups.js'
import { sharedWords } from '../../support/shared-words.js'

const frame = 64

function world() {
  const { state, lane } = sharedWords()
  const memory = new RingMemory(RingMemory.allocate(1 << 16))
  const watch = { register: () => {}, begin: () => {} }
  const acknowledgements = new Acknowledgements({
    state,
    lane,
    memory,
    topics: { nameOf: () => 'orders' },
    watch,
    directory: '/log',
  })
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
  return { state, lane, acknowledgements, add, stamp }
}

const turn = () => new Promise(setImmediate)

it('an append is told its offset when the head has passed all of it, at level disk when its flush has as well', async () => {
  const { lane, acknowledgements, add, stamp } = world()
  const [first, second] = [add(0, 'disk'), add(1, 'process')]
  expect(acknowledgements.wakesAt()).toBe(wakes.withEveryBatch)
  stamp(0, 70)
  stamp(1, 71)
  lane.ringHead.store(2 * frame - 1)
  lane.flushedTo.store(frame - 1)
  acknowledgements.settle()
  await turn()
  expect([first.state, second.state]).toEqual(['pending', 'pending'])
  lane.ringHead.store(2 * frame)
  acknowledgements.settle()
  await turn()
  expect([first.state, second.state]).toEqual(['pending', 'done'])
  // The reaper rings in any case.
  expect(acknowledgements.wakesAt()).toBe(wakes.anyway)
  lane.flushedTo.store(frame)
  acknowledgements.settle()
  await turn()
  expect(first.state).toBe('done')
  expect([acknowledgements.count, acknowledgements.wakesAt()]).toEqual([0, wakes.never])
})

it('its space is not given up before its offset has been read', async () => {
  const { lane, acknowledgements, stamp } = world()
  const offset = new Promise<number>((resolve, reject) => acknowledgements.add(frame, 0, 'process', resolve, reject))
  stamp(0, 70)
  lane.ringHead.store(frame)
  expect(acknowledgements.settledHead()).toBe(frame)
  stamp(0, 99)
  expect(await offset).toBe(70)
})

it('on a full disk those are refused that the writer has refused, and the others go on waiting in their order', async () => {
  const { state, lane, acknowledgements, add, stamp } = world()
  const [cancelled, behind, flush] = [add(0, 'disk'), add(1, 'process'), add(2, 'process')]
  stamp(0, 0, frameKind.cancelled)
  stamp(1, 0)
  stamp(2, 0)
  lane.cancelledTo.store(2 * frame)
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

it('who waits for a position alone is told in its turn, at level disk when everything before it is flushed', async () => {
  const { lane, acknowledgements, add, stamp } = world()
  const behind = (level: 'process' | 'disk') =>
    outcomeOf(new Promise<number>((resolve, reject) => acknowledgements.add(frame, -1, level, resolve, reject)))
  const append = add(0, 'process')
  const [published, flushed] = [behind('process'), behind('disk')]
  stamp(0, 70)
  lane.ringHead.store(frame)
  acknowledgements.settle()
  await turn()
  expect([append.state, published.state, flushed.state]).toEqual(['done', 'done', 'pending'])
  lane.flushedTo.store(frame)
  acknowledgements.settle()
  await turn()
  expect(flushed.state).toBe('done')
})

it('on a full disk a position that the head has passed by then is not refused', async () => {
  const { state, lane, acknowledgements } = world()
  const flush = outcomeOf(
    new Promise<number>((resolve, reject) => acknowledgements.add(frame, -1, 'process', resolve, reject)),
  )
  acknowledgements.settle()
  // Between the two looks: the writer frees what waits for nothing, then refuses the rest in its place.
  state.writerState.store(writerState.noSpace)
  lane.ringHead.store(frame)
  lane.cancelledTo.store(frame)
  acknowledgements.proceed()
  await turn()
  expect(flush.state).toBe('done')
})
