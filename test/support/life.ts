/**
 * The life of a log on the simulated disk: writer and reaper work for real, only the disk is ours. At random moments the power
 * goes: of everything that was not flushed, each page or sector may be absent, in between or present, and names may be
 * missing. What the next owner finds must be a gap-free prefix with all that was durable, byte for byte; then it goes
 * on, and the power goes again.
 */
import assert from 'node:assert/strict'
import { maxBatchBytes } from '../../src/limits.js'
import { hasFeature } from '../../src/ring/shared-state.js'
import { Engine } from './engine.js'
import { payloadOf } from './frames.js'
import { expectPrefix, expectReadable, Model } from './model.js'
import { type ImageStyle, imageStyles } from './power-cuts.js'
import { Seeded } from './seeded.js'
import { type Lies, SimulatedDisk } from './simulated-disk.js'
import { simulatedWorld } from './worlds.js'

export interface Mutant {
  lies?: Lies
  acknowledgesEarly?: boolean
  /** Records of one size, a batch each: leftovers of one life stand where batches of the next begin. */
  isUniform?: boolean
  /** No mutant: retention deletes and moves, besides the trims. */
  retains?: boolean
  /** Neither: one of the topics beside those that retention deletes of is needed for ever, so that segments are written anew. */
  reclaims?: boolean
  /** Neither: sealed segments are packed. */
  packs?: boolean
}

export interface Moment {
  event: number
  /** Records, in the order of appending, that an application was told are safe. */
  durable: number
  appended: number
  firsts: number[]
}

/** What lives went through: a test that never rolled or deleted would promise nothing about either. */
export interface Tally {
  rolls: number
  deletions: number
  moves: number
  rewrites: number
  packs: number
  images: number
  torn: number
  /** Records that were acknowledged as durable when the power went, over all images. */
  durable: number
}

export function emptyTally(): Tally {
  return { rolls: 0, deletions: 0, moves: 0, rewrites: 0, packs: 0, images: 0, torn: 0, durable: 0 }
}

/** The last is written rarely and never deleted from: its few records are moved out of the way of deletions. */
const names = ['a', 'b', 'c', 'rare']
const rare = 3
const needed = 2

export class Life {
  readonly random: Seeded
  readonly mutant: Mutant
  model = new Model()
  disk = new SimulatedDisk()
  generation = 0
  /** Appended records by the log position behind them. */
  #positions: { position: number; count: number }[] = []

  readonly tally: Tally
  readonly segmentBytes: number

  constructor(seed: number, mutant: Mutant, tally: Tally) {
    this.random = new Seeded(seed)
    this.mutant = mutant
    this.tally = tally
    // Small ones are filled, rolled and deleted more often, and looked through faster.
    this.segmentBytes = this.random.pick([1 << 18, 1 << 18, 1 << 19, 1 << 20])
    for (const name of names) this.model.declare(name)
  }

  /** Lives until `steps` are done; returns the moments between which the power may go. */
  async live(steps: number): Promise<Moment[]> {
    const { random, model, mutant, disk, segmentBytes } = this
    disk.settle()
    disk.lies = mutant.lies ?? {}
    const world = simulatedWorld(disk, random.chance(0.7))
    const bootId = `${this.generation}`.repeat(32).slice(0, 32).replace(/^0/, 'f')
    const { acknowledgesEarly } = mutant
    let now = Date.now()
    const isRetained = mutant.retains === true || mutant.reclaims === true
    const compress = mutant.packs === true ? ({ afterMs: 0, codec: 'deflate' } as const) : undefined
    const retained = isRetained ? { retention: { maxBytes: 200_000 }, now: () => now } : {}
    const reaper = { ...retained, compress }
    // What is noise is not packed.
    const payload: typeof payloadOf = (...of) =>
      compress === undefined ? payloadOf(...of) : payloadOf(...of).map((byte) => 97 + (byte & 3))
    // Where torn tails are wanted, little is to be flushed.
    const flushesLone = mutant.isUniform !== true && random.chance(0.5)
    const engine = new Engine(world, {
      bootId,
      segmentBytes,
      ringBytes: 1 << 20,
      acknowledgesEarly,
      flushesLone,
      reaper,
    })
    engine.reaper.retain('rare', {})
    if (mutant.reclaims === true) engine.reaper.retain(names[needed], {})
    disk.holdSyncs()
    const { recovered } = engine
    let counted = recovered.topics.reduce((sum, topic) => sum + topic.next, 0)
    this.#positions = [
      { position: recovered.durable, count: 0 },
      { position: recovered.published, count: counted },
    ]
    const moments: Moment[] = []
    const note = () => {
      const published = engine.state.published.load()
      const all = model.order.length
      if (engine.producer.usedBytes === 0 && all > counted) {
        counted = all
        this.#positions.push({ position: published, count: all })
      }
      const durable = engine.state.durable.load()
      const safe = this.#positions.filter(({ position }) => position <= durable).at(-1)?.count ?? 0
      const firsts = model.topics.map(({ id }) => engine.cells.first(id).load())
      moments.push({ event: disk.events.length, durable: safe, appended: all, firsts })
    }
    for (const { id, name } of model.topics) {
      if (!recovered.topics.some((topic) => topic.id === id)) engine.offer([{ declare: name, topic: id }])
    }
    engine.writer.doWork()
    note()
    const isUniform = mutant.isUniform === true || random.chance(0.3)
    const usual = isRetained ? 30_000 : random.pick([40, 2_000, 9_000, 40_000])
    for (let step = 0; step < steps; step++) {
      const topic = random.chance(0.08) ? rare : random.below(rare)
      const value = () => {
        const most = topic === rare ? 800 : random.chance(0.05) ? segmentBytes / 8 : usual
        const bytes = random.below(most)
        return payload(topic, model.topics[topic].values.length, bytes, this.generation)
      }
      const choice = random.unit()
      if (isUniform && choice < 0.7) {
        const bytes = payload(topic, model.topics[topic].values.length, 200, this.generation)
        // Lone, and awaited at level disk.
        if (flushesLone && random.chance(0.5)) engine.lane.flushWished.store(engine.producer.tail + 1)
        if (engine.append(topic, bytes) >= 0) model.add(topic, bytes)
      } else if (choice < 0.55) {
        for (let count = random.below(12); count >= 0; count--) {
          const bytes = value()
          if (engine.append(topic, bytes) < 0) break
          model.add(topic, bytes)
        }
      } else if (choice < 0.7) {
        const count = 1 + random.below(4)
        const values: Uint8Array[] = []
        const before = model.topics[topic].values.length
        // A short batch and a long one in turn, each written by itself: only of these does a crash often leave the first half.
        const isUneven = topic !== rare && random.chance(0.4)
        const uneven = (index: number) => (index % 2 === 0 ? 0 : maxBatchBytes - 100) + random.below(100)
        const most = topic === rare ? 2_000 : segmentBytes / 20
        for (let index = 0; index < count; index++) {
          const bytes = isUneven ? uneven(index) : random.below(most)
          values.push(payload(topic, before + index, bytes, this.generation))
        }
        if (engine.appendGroup(topic, values) >= 0) {
          for (const [index, bytes] of values.entries()) model.add(topic, bytes, index < count - 1)
        }
      } else if (choice < 0.78) {
        // All at once, often: only then can whole segments go.
        const share = random.chance(0.6) ? 1 : random.unit()
        for (const { id, name, values } of model.topics) {
          if ((share < 1 && id !== topic) || id === rare || (id === needed && mutant.reclaims === true)) continue
          engine.offer([{ declare: name, topic: id, first: Math.floor(values.length * share) }])
        }
      } else if (choice < (mutant.isUniform === true ? 0.8 : 0.88)) {
        engine.requestFlush()
      }
      engine.writer.doWork()
      note()
      if (random.chance(0.6)) engine.reaper.tend()
      if (random.chance(0.4)) engine.letTimePass()
      note()
      for (let turn = random.below(8); turn > 0 && isRetained; turn--) {
        now += mutant.reclaims === true ? 500 : 50
        if (random.chance(0.7)) disk.finishSyncs()
        await new Promise(setImmediate)
        engine.writer.doWork()
        note()
        engine.reaper.tend()
        note()
      }
      if (random.chance(0.7)) disk.finishSyncs()
      if (random.chance(0.7)) await new Promise(setImmediate)
      note()
    }
    this.tally.rolls += engine.tail.segment - recovered.tail.segment
    this.tally.deletions += engine.state.deletedCount.load()
    this.tally.packs += engine.state.packs.load()
    this.tally.rewrites += engine.state.rewrites.load() - engine.state.packs.load()
    this.tally.moves += engine.events.filter(({ type }) => type === 'moved').length
    return moments
  }

  /** Cuts the power at a moment; checks what the next owner finds. Returns that disk and how much survived. */
  cut(
    moments: readonly Moment[],
    style: ImageStyle,
    isSameBoot: boolean,
    keepsDisk: boolean,
  ): { disk: SimulatedDisk; count: number; note: string } {
    const { random, model } = this
    const index = random.below(moments.length)
    const moment = moments[index]
    // Somewhere between this moment and the next: the promise holds all the while.
    const until = moments[index + 1]?.event ?? moment.event
    const event = moment.event + random.below(until - moment.event + 1)
    const disk = this.disk.imageAfter(event, random, style)
    const bootId = `${isSameBoot ? this.generation : this.generation + 1}`.repeat(32).slice(0, 32).replace(/^0/, 'f')
    const note = `moment ${index} of ${moments.length}, event ${event}, ${style}, ${isSameBoot ? 'same' : 'other'} boot`
    const kept = keepsDisk ? disk.copy() : disk
    try {
      const engine = new Engine(simulatedWorld(disk, false), { bootId, segmentBytes: this.segmentBytes })
      const { count } = expectPrefix(engine.recovered, model, moment.durable)
      expectReadable(engine.reader, engine.recovered, model)
      const isPacked = engine.files.list().some((segment) => engine.files.isPacked(segment))
      assert(!isPacked || hasFeature(engine.state, 'packed'), 'the log says that it has packed segments')
      this.tally.images += 1
      this.tally.durable += moment.durable
      if (engine.recovered.tornBytes > 0) this.tally.torn += 1
      for (const { id, first } of engine.recovered.topics) {
        // A trim is as durable as a record: it never goes further than it was asked to.
        assert(first <= Math.max(...moments.map(({ firsts }) => firsts[id])), `topic ${id} is trimmed to ${first}`)
      }
      return { disk: kept, count, note }
    } catch (error) {
      throw new Error(`${note}: ${(error as Error).message}`, { cause: error })
    }
  }

  /** Goes on from an image, as the next owner. */
  continueOn({ disk, count }: { disk: SimulatedDisk; count: number }): void {
    this.disk = disk
    this.model.cutTo(count)
    this.generation += 1
  }
}

/** One life: chains of three crashes, `images` cuts each, of which the last is the disk that the next owner goes on with. */
export async function liveAndCut(
  seed: number,
  mutant: Mutant,
  images: number,
  isSameBoot: boolean,
  tally: Tally,
): Promise<void> {
  const life = new Life(seed, mutant, tally)
  try {
    // Chains of three: crash, recover, append, crash again.
    const [generations, steps] = mutant.isUniform === true ? [10, 12] : mutant.retains === true ? [3, 100] : [3, 60]
    for (let generation = 0; generation < generations; generation++) {
      const moments = await life.live(steps)
      let last: ReturnType<Life['cut']> | undefined
      for (let image = 0; image < images; image++) {
        const style = life.random.pick(isSameBoot ? (['kept', 'lost', 'pages', 'sectors'] as const) : imageStyles)
        last = life.cut(moments, style, isSameBoot || style === 'kept', image === images - 1)
      }
      if (last !== undefined) life.continueOn(last)
    }
  } catch (error) {
    throw new Error(`SEED=${seed}: ${(error as Error).message}`, { cause: error })
  }
}
