import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LaneBits, OwnLaneBits } from '../../src/ring/lane-bits.js'
import { LaneTable, maxLanes, ownerLane } from '../../src/ring/lane-table.js'

describe('sets of lanes', () => {
  const lanes = fc.uniqueArray(fc.nat(maxLanes - 1))

  it('are gone through in turn, whatever is in them', () => {
    fc.assert(
      fc.property(lanes, fc.nat(maxLanes - 1), (set, from) => {
        const own = new OwnLaneBits(maxLanes)
        for (const lane of set) own.add(lane)
        const expected = set.toSorted(
          (a, b) => ((a - from - 1 + maxLanes) % maxLanes) - ((b - from - 1 + maxLanes) % maxLanes),
        )
        const visited: number[] = []
        for (let lane = own.nextAfter(from); lane >= 0; lane = own.nextAfter(lane)) {
          visited.push(lane)
          own.remove(lane)
        }
        expect(visited).toEqual(expected)
        expect(own.nextAfter(0)).toBe(-1)
      }),
    )
  })

  it('are taken as a whole, and only what is added behind that is there again', () => {
    const bits = new LaneBits(new Int32Array(new SharedArrayBuffer(16)), 1, maxLanes)
    const own = new OwnLaneBits(maxLanes)
    for (const lane of [0, 31, 32, 63]) bits.add(lane)
    bits.remove(31)
    expect([bits.isEmpty, bits.hasOther(0), bits.has(31), bits.has(63)]).toEqual([false, true, false, true])
    bits.moveInto(own)
    expect([bits.isEmpty, own.nextAfter(0), own.nextAfter(32)]).toEqual([true, 32, 63])
    bits.add(63)
    expect([bits.hasOther(63), bits.hasOther(62)]).toEqual([false, true])
  })
})

describe('the table of lanes', () => {
  it('gives away every lane but the owner’s, each to one thread until the writer has freed it', () => {
    const shared = LaneTable.allocate()
    const [owner, writer] = [new LaneTable(shared), new LaneTable(shared)]
    const claimed = Array.from({ length: maxLanes - 1 }, () => owner.claim())
    expect(claimed).toEqual(Array.from({ length: maxLanes - 1 }, (_, index) => index + 1))
    expect([owner.claim(), writer.count, writer.isOpen(ownerLane)]).toEqual([undefined, maxLanes, true])
    owner.end(7)
    owner.end(7)
    // Its last user may have handed something over.
    expect([writer.isEnding(7), writer.dirty.has(7), owner.claim()]).toEqual([true, true, undefined])
    writer.free(7)
    expect([owner.claim(), writer.isOpen(7)]).toEqual([7, true])
    // Not ending: nobody frees it.
    writer.free(7)
    expect(writer.isOpen(7)).toBe(true)
  })

  it('goes on where the last user of a lane ended', () => {
    const table = new LaneTable(LaneTable.allocate())
    const lane = table.claim() as number
    const words = table.open(lane, 'application', 'writer', 'reaper')
    words.ringTail.store(2 ** 33)
    words.ringHead.store(2 ** 33)
    table.following.add(lane)
    table.end(lane)
    table.free(lane)
    expect(table.claim()).toBe(lane)
    expect([table.open(lane).ringTail.load(), table.following.has(lane)]).toEqual([2 ** 33, false])
  })

  it('knows when all that was handed over is taken, in every lane', () => {
    const table = new LaneTable(LaneTable.allocate())
    const lane = table.claim() as number
    const words = table.open(lane, 'application', 'writer')
    words.ringTail.store(64)
    const tails = table.tails()
    expect([tails, table.areTaken(tails)]).toEqual([[0, 64], false])
    words.ringTail.store(128)
    words.ringHead.store(64)
    expect(table.areTaken(tails)).toBe(true)
  })

  it('rings for the threads of all lanes', () => {
    const table = new LaneTable(LaneTable.allocate())
    const bells = [ownerLane, table.claim() as number].map((lane) => table.open(lane, 'application').bell)
    const tokens = bells.map((bell) => bell.arm())
    table.bells.ringIfAsleep()
    expect(bells.every((bell, index) => bell.token() !== tokens[index])).toBe(true)
  })
})
