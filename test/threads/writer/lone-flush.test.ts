/** A lone message that is awaited at level disk is flushed by who writes it, where nothing else is under way; everything else is the reaper's. */
import { describe, expect, it } from 'vitest'
import { decodeControlRecord } from '../../../src/format/control-layout.js'
import { allocateRetryMs } from '../../../src/limits.js'
import { errno, failedCall } from '../../../src/memory/errno.js'
import { start } from '../../support/driven-reaper.js'
import { payloadOf } from '../../support/frames.js'

async function lone() {
  const driven = start({ flushesLone: true })
  const { engine, world } = driven
  await engine.settle(4)
  let count = 0
  let syncs = 0
  world.disk.fault = ({ call, file }) => {
    if (call === 'sync' && file === engine.files.path(0)) syncs += 1
  }
  /** As an append at level disk: the wish comes before the frame. */
  const append = (bytes = 100): void => {
    engine.lane.flushWished.store(engine.producer.tail + 1)
    count += 1
    if (engine.append(0, payloadOf(0, count, bytes)) < 0) throw new Error('the ring is large enough')
  }
  const isFlushed = () => engine.lane.flushedTo.load() === engine.producer.tail
  // The first flush is the reaper's, who finds out how long one takes.
  append()
  await engine.settle(2)
  expect(isFlushed()).toBe(true)
  syncs = 0
  return { ...driven, append, isFlushed, syncs: () => syncs }
}

it('is on the device when the writer is done', async () => {
  const { engine, world, append, isFlushed, syncs } = await lone()
  const { state } = engine
  const flushes = state.flushCount.load()
  for (let message = 1; message <= 3; message++) {
    append()
    engine.writer.doWork()
    expect([isFlushed(), syncs(), state.durable.load()]).toEqual([true, message, state.published.load()])
  }
  expect(state.flushCount.load()).toBe(flushes + 3)
  // No flush is left for the reaper, but the books are: the control file, and who listens.
  const told = engine.events.length
  engine.reaper.tend()
  expect(syncs()).toBe(3)
  const position = state.durable.load()
  expect(engine.events.slice(told)).toEqual([{ type: 'flushed', position, micros: expect.any(Number) }])
  expect(decodeControlRecord(world.disk.bytes('/log/control'))).toMatchObject({ durable: position })
})

describe('is left to the reaper', () => {
  it.each<[string, (driven: Awaited<ReturnType<typeof lone>>) => void]>([
    ['what nobody wishes for', ({ engine }) => engine.append(0, payloadOf(0, 1, 100))],
    ['what is long', ({ append }) => append(5_000)],
    [
      'what comes behind something that is not flushed',
      ({ engine, append }) => {
        engine.append(0, payloadOf(0, 1, 100))
        engine.writer.doWork()
        append()
      },
    ],
    [
      'what has something behind it, of another lane',
      ({ engine, append }) => {
        append()
        engine.lanes.dirty.add(1)
        const { next } = engine.turns
        // Announced while the first one is served.
        engine.turns.next = function (...of: []) {
          const lane = next.apply(this, of)
          engine.lanes.dirty.add(1)
          return lane
        }
      },
    ],
    [
      'where the last flush was slow',
      ({ engine, append }) => {
        engine.state.lastFlushMicros.store(2_000)
        append()
      },
    ],
    [
      "where it is the reaper's turn",
      ({ engine, append }) => {
        engine.state.flushing.take('reaper')
        append()
      },
    ],
    [
      'where flushing has ended',
      ({ engine, append }) => {
        engine.state.reaperErrno.store(5)
        append()
      },
    ],
  ])('%s', async (_what, happen) => {
    const driven = await lone()
    happen(driven)
    driven.engine.writer.doWork()
    expect(driven.syncs()).toBe(0)
    expect(driven.isFlushed()).toBe(false)
  })

  it('what is published together is flushed together', async () => {
    const { engine, append, isFlushed, syncs } = await lone()
    for (let message = 0; message < 12; message++) append()
    engine.writer.doWork()
    expect([isFlushed(), syncs()]).toEqual([true, 1])
  })
})

it('where it fails nothing is acknowledged, nobody flushes again, and the reaper says so', async () => {
  const { engine, world, append, isFlushed } = await lone()
  const { state } = engine
  const durable = state.durable.load()
  let tries = 0
  world.disk.fault = ({ call, file }) => {
    if (call !== 'sync' || file !== engine.files.path(0)) return
    tries += 1
    // It would succeed from then on: that success says nothing about the lost pages.
    if (tries === 1) throw failedCall('fdatasync', errno.EIO)
  }
  append()
  engine.writer.doWork()
  // Before the reaper has heard of it, too.
  append()
  engine.writer.doWork()
  expect([tries, isFlushed()]).toEqual([1, false])
  await engine.settle()
  expect(state.reaperErrno.load()).toBe(errno.EIO)
  expect(engine.events.filter(({ type }) => type === 'error')).toEqual([
    { type: 'error', what: 'flushing the log', code: 'EIO', errno: errno.EIO },
  ])
  // Not the next reaper either, nor the last word when the log closes.
  const next = engine.nextReaper()
  next.tend()
  await next.stop(true)
  expect([tries, isFlushed(), state.durable.load()]).toEqual([1, false, durable])
  expect(decodeControlRecord(world.disk.bytes('/log/control'))).toMatchObject({ durable, isClean: false })
})

it('where there is no descriptor to be had the reaper flushes, as soon as there is one', async () => {
  const { engine, world, append, isFlushed } = await lone()
  world.disk.fault = ({ call }) => {
    if (call === 'sync') throw failedCall('open', 24)
  }
  append()
  engine.writer.doWork()
  engine.reaper.tend()
  expect([isFlushed(), engine.state.reaperErrno.load()]).toEqual([false, 0])
  world.disk.fault = () => {}
  engine.letTimePass(allocateRetryMs)
  await engine.settle(2)
  expect(isFlushed()).toBe(true)
})

it('lets go of the file of a segment that is left', async () => {
  const filesOpen = async (flushesLone: boolean): Promise<number> => {
    const { engine, world, fillTo } = start({ flushesLone })
    await engine.settle(4)
    engine.state.flushCount.store(1)
    engine.lane.flushWished.store(engine.producer.tail + 1)
    engine.append(0, payloadOf(0, 0, 100))
    engine.writer.doWork()
    expect(engine.lane.flushedTo.load() === engine.producer.tail).toBe(flushesLone)
    await fillTo(2)
    return world.disk.openFiles
  }
  expect(await filesOpen(true)).toBe(await filesOpen(false))
})

it('a writer that died in its turn may have failed unheard: what it was about to flush is not called durable', async () => {
  const { engine, world, append, syncs } = await lone()
  const durable = engine.state.durable.load()
  engine.state.flushing.take('writer')
  append()
  engine.writer.doWork()
  await engine.settle()
  // Another reaper gives back what the one before it may have had, and not this.
  const next = engine.nextReaper()
  next.tend()
  await next.stop(true)
  expect(syncs()).toBe(0)
  expect(engine.state.flushing.isOf('writer')).toBe(true)
  expect(decodeControlRecord(world.disk.bytes('/log/control'))).toMatchObject({ durable, isClean: false })
})

it('a reaper that died in its turn holds up nobody once the next one has begun', async () => {
  const { engine, append, isFlushed, syncs } = await lone()
  engine.state.flushing.take('reaper')
  append()
  engine.writer.doWork()
  expect(isFlushed()).toBe(false)
  const next = engine.nextReaper()
  next.tend()
  expect([isFlushed(), syncs()]).toEqual([true, 1])
  append()
  engine.writer.doWork()
  expect([isFlushed(), syncs()]).toEqual([true, 2])
})
