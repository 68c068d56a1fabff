import { expect, it } from 'vitest'
import { flushSync } from '../../../src/dispatcher/appends/flush-sync.js'
import { RingMemory, RingProducer } from '../../../src/ring/append-ring.js'
import { allocateSharedState, openSharedState, writerState } from '../../../src/ring/shared-state.js'

function world() {
  const state = openSharedState(allocateSharedState())
  const ring = new RingProducer(new RingMemory(RingMemory.allocate(1 << 16)), state.ringTail, state.ringHead)
  const calls: string[] = []
  const watch = {
    look: () => {},
    checkWorkers: () => {},
    checkWorking: () => {},
    failure: undefined as Error | undefined,
  }
  const intake = { publish: () => ring.publish(), heldCount: 0 }
  const commits = {
    settle: () => {},
    handOver: () => calls.push('groups handed over'),
    isUnwritten: false,
    isFlushed: true,
    requestFlush: () => calls.push('groups to be flushed'),
  }
  return { state, ring, calls, watch, parts: { state, ring, watch, intake, commits, directory: '/log' } }
}

it('takes what was handed over last: groups first, then the ring, then the device', () => {
  const { state, ring, calls, parts, watch } = world()
  ring.advance(64)
  // The workers, in the moments in which they are looked at.
  watch.look = () => {
    if (state.ringHead.load() === state.ringTail.load()) return
    calls.push('ring taken')
    state.published.store(500)
    state.ringHead.store(ring.tail)
  }
  const add = state.flushRequest.add.bind(state.flushRequest)
  state.flushRequest.add = (value) => {
    calls.push('log to be flushed')
    state.durable.store(500)
    return add(value)
  }
  flushSync(parts, 'disk')
  expect(calls).toEqual(['groups handed over', 'ring taken', 'log to be flushed', 'groups to be flushed'])
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
  const { state, ring, parts } = world()
  for (const isThrown of [false, true]) {
    if (isThrown) {
      ring.advance(64)
      state.writerState.store(writerState.died)
    }
    const token = state.dispatcher.token()
    try {
      flushSync(parts, 'process')
    } catch {}
    expect(state.dispatcher.token()).not.toBe(token)
  }
})
