/** A writer's loop with nothing to do, and everything that another thread may want of it just then. */
import { Spin } from '../../src/ring/spin.js'
import { runWriter } from '../../src/threads/writer/writer-loop.js'
import { Engine } from './engine.js'
import { payloadOf } from './frames.js'
import type { Racing } from './interleaving.js'
import { simulatedWorld } from './worlds.js'

export const racingSpins = 3

export class RacingWriter {
  readonly engine = new Engine(simulatedWorld())
  turns = 0
  #isAsked = false

  constructor() {
    this.engine.offer([{ declare: 'a', topic: 0 }])
    this.engine.writer.doWork()
  }

  readonly run = (): Promise<void> => {
    const { state, writer, tailWindows: windows } = this.engine
    const hasWork = () => writer.hasWork
    const turn = async () => {
      this.turns += 1
      // The port serves the call, and the caller hears of it.
      if (this.#isAsked) state.control.store(0)
    }
    const spin = new Spin(state.writer, hasWork, () => {}, racingSpins)
    return runWriter({ state, writer, windows, spin, shrinkHeap: async () => {}, turn, isClosing: () => false })
  }

  /** A control call, as the application's thread makes it. */
  ask(): void {
    const { state } = this.engine
    this.#isAsked = true
    state.control.store(1)
    state.writer.ring()
  }
}

export const writerRaces: Readonly<Record<string, () => Racing | Promise<Racing>>> = {
  'serves a control call'() {
    const writer = new RacingWriter()
    return { run: writer.run, happen: () => writer.ask(), isSeenTo: () => writer.engine.state.control.load() === 0 }
  },

  'appends what is handed over'() {
    const { engine, run } = new RacingWriter()
    const happen = () => {
      engine.append(0, payloadOf(0, 0, 10))
      engine.state.writer.ringIfAsleep()
    }
    return { run, happen, isSeenTo: () => engine.cells.next(0).load() === 1 }
  },

  'carries out an order'() {
    const { engine, run } = new RacingWriter()
    const { state } = engine
    const happen = () => {
      engine.orders.push({ kind: 'forget', below: 0, firsts: [] })
      state.ordersGiven.store(1)
      state.writer.ring()
    }
    return { run, happen, isSeenTo: () => state.ordersDone.load() === 1 }
  },

  'goes on when it gets the room that it waits for'() {
    const { engine, run } = new RacingWriter()
    const { state, writer } = engine
    while (!writer.isStalled) {
      engine.offer([{ topic: 0, value: payloadOf(0, 0, 60_000) }])
      writer.doWork()
    }
    const next = state.activeSegment.load() + 1
    const happen = () => {
      engine.files.create(next, 1, 1, engine.world.calls)
      state.prepared.store(next)
      state.allocated.store(engine.files.base(next + 1))
      state.writer.ringIfAsleep()
    }
    return { run, happen, isSeenTo: () => engine.producer.usedBytes === 0 }
  },

  'gives back what was retired'() {
    const { engine, run } = new RacingWriter()
    const { state, slots, tailWindows } = engine
    const happen = () => {
      for (const row of slots.rows()) if (slots.tryRetire(row)) slots.finishRetiring(row.slot, () => {})
      state.writer.ringIfAsleep()
    }
    return { run, happen, isSeenTo: () => tailWindows.isUnmapped }
  },

  async 'writes what a group has acknowledged'() {
    const { engine, run } = new RacingWriter()
    const { state, mailboxes } = engine
    const group = await engine.groups.create('a', 'g', 0)
    const happen = () => {
      mailboxes.fill(0, group, { committed: 0, ranges: [] })
      state.commitRequest.store(1)
      state.writer.ringIfAsleep()
    }
    return { run, happen, isSeenTo: () => state.commitDone.load() === 1 }
  },
}
