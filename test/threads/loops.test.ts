/** No thread goes to sleep on what came while it was deciding to, wherever in that it came. */
import { describe, expect, it } from 'vitest'
import { watchRetirements } from '../../src/threads/reader/reader-loop.js'
import { runReaper } from '../../src/threads/reaper/reaper-loop.js'
import { runWriter, type WriterLoopParts } from '../../src/threads/writer/writer-loop.js'
import { tryEveryPlace } from '../support/interleaving.js'
import { RacingWriter, racingSpins, writerRaces } from '../support/racing-writer.js'
import { sharedWords } from '../support/shared-words.js'

describe('the writer', () => {
  it.each(Object.entries(writerRaces))('%s', async (_, prepare) => {
    const { places, sleptOver } = await tryEveryPlace(prepare)
    expect(places).toBeGreaterThan(racingSpins)
    expect(sleptOver).toEqual([])
  })

  it('takes turns of its event loop for as long as a call lasts, and then none', async () => {
    const writer = new RacingWriter()
    const { places } = await tryEveryPlace(() => ({
      run: writer.run,
      happen: () => writer.ask(),
      isSeenTo: () => true,
    }))
    // One as it begins, each time, and one for each call.
    expect(writer.turns).toBe(places + 1 + places)
  })
})

it('the writer collects what opening has left once, after the first second in which nothing came', async () => {
  // Of each sleep: how long the writer would have it, and whether somebody rings.
  const sleeps = [
    { sleepMs: 10_000, isRung: true },
    { sleepMs: 5, isRung: false },
    { sleepMs: 10_000, isRung: false },
    { sleepMs: 10_000, isRung: false },
  ]
  const seen: string[] = []
  let slept = 0
  const bell = {
    arm: () => 0,
    token: () => 0,
    disarm: () => {},
    wait(_: number, ms: number) {
      seen.push(`sleeps ${ms}`)
      return sleeps[slept++].isRung
    },
  }
  await runWriter({
    state: { writer: bell, control: { load: () => 0 } } as unknown as WriterLoopParts['state'],
    writer: {
      doWork: () => 0,
      isFlushAwaited: false,
      get sleepMs() {
        return sleeps[slept].sleepMs
      },
    },
    windows: { dropRetired: () => [], isUnmapped: true },
    spin: { seesWork: () => false } as unknown as WriterLoopParts['spin'],
    shrinkHeap: async () => void seen.push('collects'),
    turn: async () => {},
    isClosing: () => slept === sleeps.length,
  })
  expect(seen).toEqual(['sleeps 1000', 'sleeps 5', 'sleeps 1000', 'collects', 'sleeps 10000'])
})

describe('the reaper', () => {
  function idleReaper() {
    const { state, lane } = sharedWords()
    let isClosing = false
    let seen = 0
    const tend = () => {
      seen = lane.flushWished.load()
      return Number.POSITIVE_INFINITY
    }
    const run = () => runReaper({ state, reaper: { tend }, turn: async () => {}, isClosing: () => isClosing })
    return {
      state,
      lane,
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
      const { state, lane, run, seen } = idleReaper()
      const happen = () => {
        lane.flushWished.store(1)
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
      const { state, lane } = sharedWords()
      let dropped = 0
      const dropRetired = () => {
        dropped = state.trim.load()
        return false
      }
      const happen = () => {
        state.trim.store(1)
        state.retirements.ring()
      }
      const run = () =>
        watchRetirements({
          state,
          application: lane.bell,
          reading: { dropRetired, close() {} },
          shrinkHeap: async () => {},
          isFollower: false,
        })
      return { run, happen, isSeenTo: () => dropped === 1 }
    })
    expect({ places: places > 1, sleptOver }).toEqual({ places: true, sleptOver: [] })
  })

  it('closes its windows when the log closes, and says so', async () => {
    const { state, lane } = sharedWords()
    const closedAt: number[] = []
    const close = () => closedAt.push(state.closedReaders.load())
    state.closing.store(1)
    await watchRetirements({
      state,
      application: lane.bell,
      reading: { dropRetired: () => false, close },
      shrinkHeap: async () => {},
      isFollower: false,
    })
    expect({ closedAt, counted: state.closedReaders.load() }).toEqual({ closedAt: [0], counted: 1 })
  })
})
