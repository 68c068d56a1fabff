import { expect, it } from 'vitest'
import { flushSync } from '../../../src/dispatcher/appends/flush-sync.js'
import { RingMemory, RingProducer } from '../../../src/ring/append-ring.js'
import { writerState } from '../../../src/ring/shared-state.js'
import { sharedWords } from '../../support/shared-words.js'

function world() {
  const { state, lanes, lane } = sharedWords()
  const ring = new RingProducer(new RingMemory(RingMemory.allocate(1 << 16)), lane.ringTail, lane.ringHead)
  const calls: string[] = []
  const watch = {
    look: () => {},
    checkWorkers: () => {},
    checkWorking: () => {},
    failure: undefined as Error | undefined,
  }
  const intake = {
    publish: () => ring.publish(),
    heldCount: 0,
    writeMark: () => {
      calls.push('mark')
      ring.advance(16)
      return true
    },
  }
  const commits = {
    settle: () => {},
    handOver: () => calls.push('groups handed over'),
    isUnwritten: false,
    isFlushed: true,
    wishFlush: () => calls.push('groups to be flushed'),
  }
  const isFlushed = () => lane.flushedTo.load() >= ring.tail
  const parts = { state, lanes, lane, ring, watch, intake, commits, isFlushed, directory: '/log' }
  return { state, lane, ring, calls, watch, parts }
}

it('takes what was handed over last: groups first, then the ring, then the device', () => {
  const { lane, ring, calls, parts, watch } = world()
  ring.advance(64)
  // The workers, in the moments in which they are looked at.
  watch.look = () => {
    if (lane.ringHead.load() === lane.ringTail.load()) return
    calls.push('ring taken')
    lane.ringHead.store(ring.tail)
  }
  watch.checkWorkers = () => {
    if (lane.ringTail.load() === ring.tail && calls.includes('mark')) lane.flushedTo.store(ring.tail)
  }
  flushSync(parts, 'disk')
  expect(calls.slice(0, 4)).toEqual(['groups handed over', 'ring taken', 'mark', 'groups to be flushed'])
  expect(lane.flushedTo.load()).toBe(ring.tail)
})

it('hands nothing over where there is nothing to flush', () => {
  const { ring, calls, parts } = world()
  flushSync(parts, 'disk')
  expect([calls, ring.tail]).toEqual([['groups handed over', 'groups to be flushed'], 0])
})

it('does not wait for a writer that has died, and says so', () => {
  const { state, ring, parts } = world()
  ring.advance(64)
  state.writerState.store(writerState.died)
  expect(() => flushSync(parts, 'process')).toThrow(/flushSync: the writer thread has died/)
})

it('on a full disk throws instead of waiting for room', () => {
  const { state, ring, parts } = world()
  ring.advance(64)
  state.writerState.store(writerState.noSpace)
  state.writerErrno.store(28)
  expect(() => flushSync(parts, 'process')).toThrow(expect.objectContaining({ code: 'BOOKEND_NO_SPACE' }))
})

it('whatever its end, the loop that sleeps under it looks again', () => {
  const { state, lane, ring, parts } = world()
  for (const isThrown of [false, true]) {
    if (isThrown) {
      ring.advance(64)
      state.writerState.store(writerState.died)
    }
    const token = lane.bell.token()
    try {
      flushSync(parts, 'process')
    } catch {}
    expect(lane.bell.token()).not.toBe(token)
  }
})
