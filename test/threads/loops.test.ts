/** No thread goes to sleep on what came while it was deciding to, wherever in that it came. */
import { describe, expect, it } from 'vitest'
import { allocateSharedState, openSharedState } from '../../src/ring/shared-state.js'
import { Spin } from '../../src/ring/spin.js'
import { watchRetirements } from '../../src/threads/reader-loop.js'
import { runReaper } from '../../src/threads/reaper-loop.js'
import { runWriter } from '../../src/threads/writer-loop.js'
import { Engine } from '../support/engine.js'
import { payloadOf } from '../support/frames.js'
import { tryEveryPlace } from '../support/interleaving.js'
import { simulatedWorld } from '../support/worlds.js'

const spins = 3

async function expectNoneSleptOver(prepare: Parameters<typeof tryEveryPlace>[0]): Promise<void> {
  const { places, sleptOver } = await tryEveryPlace(prepare)
  expect(places).toBeGreaterThan(spins)
  expect(sleptOver).toEqual([])
}

describe('the writer', () => {
  /** One that has declared a topic and has nothing more to do. */
  function idleWriter() {
    const engine = new Engine(simulatedWorld())
    engine.offer([{ declare: 'a', topic: 0 }])
    engine.writer.doWork()
    const { state, writer, consumer, tailWindows: windows } = engine
    let isAsked = false
    let turns = 0
    const run = () =>
      runWriter({
        state,
        writer,
        windows,
        spin: new Spin(
          state.writer,
          () => consumer.loadTail() !== consumer.head && !writer.isStalled,
          () => {},
          spins,
        ),
        shrinkHeap: async () => {},
        turn: async () => {
          turns += 1
          // The port serves the call, and the caller hears of it.
          if (isAsked) state.control.store(0)
        },
        isClosing: () => false,
      })
    const ask = () => {
      isAsked = true
      state.control.store(1)
      state.writer.ring()
    }
    return { engine, run, ask, turns: () => turns }
  }

  it('serves a control call', async () => {
    await expectNoneSleptOver(() => {
      const { engine, run, ask } = idleWriter()
      return { run, happen: ask, isSeenTo: () => engine.state.control.load() === 0 }
    })
  })

  it('appends what is handed over', async () => {
    await expectNoneSleptOver(() => {
      const { engine, run } = idleWriter()
      const happen = () => {
        engine.append(0, payloadOf(0, 0, 10))
        engine.state.writer.ringIfAsleep()
      }
      return { run, happen, isSeenTo: () => engine.cells.next(0).load() === 1 }
    })
  })

  it('carries out an order', async () => {
    await expectNoneSleptOver(() => {
      const { engine, run } = idleWriter()
      const { state } = engine
      const happen = () => {
        engine.orders.push({ kind: 'forget', below: 0, firsts: [] })
        state.ordersGiven.store(1)
        state.writer.ring()
      }
      return { run, happen, isSeenTo: () => state.ordersDone.load() === 1 }
    })
  })

  it('goes on when it gets the segment that it waits for', async () => {
    await expectNoneSleptOver(() => {
      const { engine, run } = idleWriter()
      const { state, writer } = engine
      // Until the active segment is full.
      while (!writer.isStalled) {
        engine.offer([{ topic: 0, value: payloadOf(0, 0, 60_000) }])
        writer.doWork()
      }
      const next = state.activeSegment.load() + 1
      const happen = () => {
        engine.files.create(next, 1, 1, engine.world.calls)
        state.prepared.store(next)
        state.writer.ringIfAsleep()
      }
      return { run, happen, isSeenTo: () => engine.producer.usedBytes === 0 }
    })
  })

  it('gives back what was retired', async () => {
    await expectNoneSleptOver(() => {
      const { engine, run } = idleWriter()
      const { state, slots, tailWindows } = engine
      const happen = () => {
        for (const row of slots.rows()) if (slots.tryRetire(row)) slots.finishRetiring(row.slot, () => {})
        state.writer.ringIfAsleep()
      }
      return { run, happen, isSeenTo: () => tailWindows.isUnmapped }
    })
  })

  it('writes what a group has acknowledged', async () => {
    await expectNoneSleptOver(async () => {
      const { engine, run } = idleWriter()
      const { state, mailboxes } = engine
      const group = await engine.groups.create('a', 'g', 0)
      const happen = () => {
        mailboxes.fill(0, group, { committed: 0, ranges: [] })
        state.commitRequest.store(1)
        state.writer.ringIfAsleep()
      }
      return { run, happen, isSeenTo: () => state.commitDone.load() === 1 }
    })
  })

  it('takes turns of its event loop for as long as a call lasts, and then none', async () => {
    const { run, ask, turns } = idleWriter()
    const { places } = await tryEveryPlace(() => ({ run, happen: ask, isSeenTo: () => true }))
    // One as it begins, each time, and one for each call.
    expect(turns()).toBe(places + 1 + places)
  })
})

describe('the reaper', () => {
  function idleReaper() {
    const state = openSharedState(allocateSharedState())
    let isClosing = false
    let seen = 0
    const tend = () => {
      seen = state.flushRequest.load()
      return Number.POSITIVE_INFINITY
    }
    const run = () => runReaper({ state, reaper: { tend }, turn: async () => {}, isClosing: () => isClosing })
    return {
      state,
      run,
      seen: () => seen,
      close: () => {
        isClosing = true
        state.reaper.ring()
      },
    }
  }

  it('sees a demand for a flush', async () => {
    const { places, sleptOver } = await tryEveryPlace(() => {
      const { state, run, seen } = idleReaper()
      const happen = () => {
        state.flushRequest.store(1)
        state.reaper.ringIfAsleep()
      }
      return { run, happen, isSeenTo: () => seen() === 1 }
    })
    expect({ places: places > 1, sleptOver }).toEqual({ places: true, sleptOver: [] })
  })

  it('ends when the log closes', async () => {
    await expect(
      tryEveryPlace(() => {
        const { run, close } = idleReaper()
        return { run, happen: close, isSeenTo: () => false }
      }),
    ).rejects.toThrow('the loop ended')
  })
})

describe('a reader', () => {
  it('gives back what was retired', async () => {
    const { places, sleptOver } = await tryEveryPlace(() => {
      const state = openSharedState(allocateSharedState())
      let dropped = 0
      const dropRetired = () => {
        dropped = state.trim.load()
        return false
      }
      const happen = () => {
        state.trim.store(1)
        state.retirements.ring()
      }
      const run = () => watchRetirements({ state, reading: { dropRetired, close() {} }, shrinkHeap: async () => {} })
      return { run, happen, isSeenTo: () => dropped === 1 }
    })
    expect({ places: places > 1, sleptOver }).toEqual({ places: true, sleptOver: [] })
  })

  it('closes its windows when the log closes, and says so', async () => {
    const state = openSharedState(allocateSharedState())
    const closedAt: number[] = []
    const close = () => closedAt.push(state.closedReaders.load())
    state.closing.store(1)
    await watchRetirements({ state, reading: { dropRetired: () => false, close }, shrinkHeap: async () => {} })
    expect({ closedAt, counted: state.closedReaders.load() }).toEqual({ closedAt: [0], counted: 1 })
  })
})
