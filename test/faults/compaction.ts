/**
 * Topics that are compacted by key, held against a plain map of their keys. First the power is cut, or the process killed, at every call of a segment
 * that is written anew without what is superseded, on the simulated disk. Then random puts and deletes: after each round what has found enough of them
 * superseded is written anew, in any order. Last, logs some of whose segments are damaged, or deleted while they are looked through. Must: of each key the latest message is there, byte for
 * byte, and nothing that was deleted comes back; what has no key, or has not expired, stays; tombstones stay until everybody may have seen them, and then go.
 *
 * Mutants it catches: a message that supersedes itself, or others whose keys have its tag; a segment that counts although it is damaged; tombstones that go
 * before they were seen, or before what they delete, or never; a look that goes on in a segment that is deleted; whatever expires some day taken for expired; a place that is lost with its message.
 */
import { batchHeaderBytes } from '../../src/format/batch-layout.js'
import { readSealedFile } from '../../src/storage/index/sealed-index.js'
import { alive, compactedLog, goneOf, latestOf, lookThrough, type Put } from '../support/compacted-log.js'
import { Engine } from '../support/engine.js'
import { payloadOf, type TestFrame } from '../support/frames.js'
import { imageStyles } from '../support/power-cuts.js'
import { rewriteSegment } from '../support/rewriting.js'
import type { Seeded } from '../support/seeded.js'
import { putSideIndex } from '../support/side-indexed-log.js'
import type { SimulatedDisk } from '../support/simulated-disk.js'
import { bootA, bootB, StorageLog } from '../support/storage-log.js'
import { simulatedWorld } from '../support/worlds.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'

type Made = ReturnType<typeof compactedLog>

const topics = [0, 1, 2]
/** Is not compacted. */
const plain = 2
const cutSegmentBytes = 1 << 16
/** Puts and deletes of a round; enough of a segment is superseded if it is this part. */
const perRound = 10_000
const dirtyShare = 0.3

const utf8 = (text: string) => new TextEncoder().encode(text)
const tombstone = utf8('{"bookend-tombstone":"1"}')

export const compaction: Fault = {
  name: 'compaction',
  isRoot: false,
  weight: 20,
  async run(context: Context): Promise<Row[]> {
    const cuts = emptyRow('killed, or power cut, at each call of a compaction')
    for (let script = 0; context.more(cuts.runs, 4_000) && cuts.failures.length < 10; script++) {
      try {
        await cutEverywhere(context.random(script), cuts, `script ${script}`)
      } catch (error) {
        cuts.failures.push(`script ${script}: ${messageOf(error)}`)
      }
    }
    const puts = emptyRow('puts and deletes against a map')
    try {
      await putAndDelete(context, puts)
    } catch (error) {
      puts.failures.push(messageOf(error))
    }
    const damaged = emptyRow('compacted beside damage')
    for (let script = 0; context.more(script, 100) && damaged.failures.length < 10; script++) {
      damaged.runs += 1
      try {
        damaged.failures.push(...(await spoilAndLook(context.random(script), `script ${script}`)))
      } catch (error) {
        damaged.failures.push(`script ${script}: ${messageOf(error)}`)
      }
    }
    const deleted = emptyRow('the oldest segments deleted in the middle of a look')
    for (let script = 0; context.more(script, 100) && deleted.failures.length < 10; script++) {
      deleted.runs += 1
      try {
        deleted.failures.push(...(await deleteBesideLook(context.random(script), `script ${script}`)))
      } catch (error) {
        deleted.failures.push(`script ${script}: ${messageOf(error)}`)
      }
    }
    return [cuts, puts, damaged, deleted]
  },
}

/** Of the topic a map says the same as what is there. @returns what is wrong */
function disagreement(log: StorageLog, topic: number, puts: readonly Put[]): string | undefined {
  const there = alive(log, topic, puts)
  const offsets = new Set(there)
  const expected = latestOf(puts, puts.keys())
  const found = latestOf(puts, there)
  for (const [key, offset] of expected)
    if (found.get(key) !== offset) return `the latest of ${key} in ${topic} is ${found.get(key)}, and not ${offset}`
  for (const [key, offset] of found) if (!expected.has(key)) return `${key} is back in ${topic}, by ${offset}`
  for (const [offset, { key }] of puts.entries())
    if ((key === undefined || topic === plain) && !offsets.has(offset)) return `${topic}/${offset} is gone`
  return undefined
}

async function cutEverywhere(random: Seeded, row: Row, name: string): Promise<void> {
  const made = compactedLog(random, {
    messages: 600,
    keys: 40,
    segmentBytes: cutSegmentBytes,
    lasts: 0.05,
    deletes: 0.4,
    isTwinned: true,
  })
  const { world, log, puts } = made
  await log.index()
  const { disk } = world
  const found = made.supersession(random.pick([0, puts[0].length]))
  lookThrough(found, log.tail.segment)
  const segments = Array.from({ length: log.tail.segment }, (_, segment) => segment)
  while (segments.length > 0) {
    const [segment] = segments.splice(random.below(segments.length), 1)
    found.forgetIds(segment)
    if (found.goneIn(segment).size === 0) continue
    if (random.chance(0.5)) await putSideIndex(made, segment, { keys: true }, ['a', 'b'])
    disk.settle()
    await rewriteSegment(log, segment, new Map(), 0, found.goneIn(segment))
    found.rewritten(segment)
    const stages = { old: 0, new: 0 }
    for (let event = 0; event <= disk.events.length; event++)
      for (const style of imageStyles) {
        row.runs += 1
        const image = disk.imageAfter(event, random, style)
        const wrong = openAgain(image, style === 'kept' ? bootA : bootB, puts, segment, stages)
        if (wrong !== undefined)
          row.failures.push(`${name}, segment ${segment}, event ${event} of ${disk.events.length}, ${style}: ${wrong}`)
      }
    if (stages.old === 0 || stages.new === 0)
      row.failures.push(`${name}, segment ${segment}: no image with the ${stages.old === 0 ? 'old' : 'new'} file`)
  }
}

function openAgain(
  image: SimulatedDisk,
  bootId: string,
  puts: readonly Put[][],
  segment: number,
  stages: { old: number; new: number },
): string | undefined {
  try {
    const again = new StorageLog(simulatedWorld(image, false), { bootId, segmentBytes: cutSegmentBytes })
    stages[again.files.generationOf(segment) === 0 ? 'old' : 'new'] += 1
    if (image.list(again.files.directory).some((file) => file.endsWith('.new'))) return 'a file is left over'
    for (const topic of topics) {
      const { next } = again.recovered.topics.find(({ id }) => id === topic) ?? {}
      if (next !== puts[topic].length) return `topic ${topic} ends at ${next}, not at ${puts[topic].length}`
      const wrong = disagreement(again, topic, puts[topic])
      if (wrong !== undefined) return wrong
    }
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

async function putAndDelete(context: Context, row: Row): Promise<void> {
  const random = context.random(0)
  const options = {
    messages: perRound,
    keys: 5_000,
    segmentBytes: 1 << 20,
    bytes: 120,
    deletes: 0.3,
    lasts: 0.02,
    isTwinned: true,
  }
  const made = compactedLog(random, options)
  const { world, log, puts } = made
  const total = () => puts.reduce((sum, { length }) => sum + length, 0)
  /** Tombstones below may go. */
  let seen = 0
  const found = made.supersession(() => seen)
  let rewritten = 0
  const rewrite = async (segment: number, least: number): Promise<boolean> => {
    found.forgetIds(segment)
    const gone = found.goneIn(segment)
    const bytes = [...gone.values()].reduce((sum, each) => sum + each.bytes, 0)
    const { dataEnd = 0 } = readSealedFile(world.disk, log.files, segment)?.footer ?? {}
    if (bytes === 0 || bytes < least * dataEnd) return false
    await rewriteSegment(log, segment, new Map(), 0, gone)
    // Windows of a file that is another by now are not what is tried here.
    log.readWindows.closeAll()
    found.rewritten(segment)
    rewritten += 1
    return true
  }
  const check = () => {
    for (const topic of topics) {
      const wrong = disagreement(log, topic, puts[topic])
      if (wrong !== undefined) row.failures.push(`after ${total()}: ${wrong}`)
    }
    checkTombstones(log, puts, seen, row)
  }
  let looked = 0
  for (let round = 0; context.more(total(), 1_000_000) && row.failures.length === 0; round++) {
    if (round > 0) made.grow(perRound)
    await log.index()
    const end = log.tail.segment
    for (; looked < end; looked++) if (random.chance(0.7)) await putSideIndex(made, looked, { keys: true }, ['a', 'b'])
    lookThrough(found, end)
    const segments = Array.from({ length: end }, (_, segment) => segment)
    while (segments.length > 0) await rewrite(segments.splice(random.below(segments.length), 1)[0], dirtyShare)
    if (round < 10 || round % 10 === 0) check()
    seen = Math.max(seen, Math.floor(Math.min(puts[0].length, puts[1].length) * random.unit()))
    // Nobody asks what it has written, and when.
    world.disk.events.length = 0
    world.disk.calls.length = 0
  }
  // Everybody has seen everything: whatever can go goes.
  seen = Number.POSITIVE_INFINITY
  for (let isGoing = true; isGoing; ) {
    isGoing = false
    lookThrough(found, log.tail.segment)
    for (let segment = 0; segment < log.tail.segment; segment++) if (await rewrite(segment, 0)) isGoing = true
  }
  check()
  row.runs = total()
  row.note = `${rewritten} segments written anew`
  log.close(true)
  const again = new StorageLog(simulatedWorld(world.disk.copy(), false), { segmentBytes: 1 << 20 })
  for (const topic of topics) {
    const wrong = disagreement(again, topic, puts[topic])
    if (wrong !== undefined) row.failures.push(`opened again: ${wrong}`)
  }
}

/** Those that somebody may not have seen stay, unless a newer message has their key; of the others none is left in the end. */
function checkTombstones(log: StorageLog, puts: readonly Put[][], seen: number, row: Row): void {
  for (const topic of [0, 1]) {
    const stretches = log.catalog.stretches(topic, 0, Number.MAX_SAFE_INTEGER)
    const sealedEnd = stretches.findLast(({ segment }) => segment < log.tail.segment)?.end ?? 0
    const there = new Set(alive(log, topic, puts[topic]))
    const newer = new Set<string>()
    for (let offset = puts[topic].length - 1; offset >= 0; offset--) {
      const { key, isTombstone } = puts[topic][offset]
      if (key === undefined) continue
      const isLatest = !newer.has(key)
      newer.add(key)
      if (!isTombstone) continue
      if (isLatest && offset >= seen && !there.has(offset))
        row.failures.push(`the tombstone at ${topic}/${offset} is gone, seen to ${seen}`)
      if (seen === Number.POSITIVE_INFINITY && offset < sealedEnd && there.has(offset))
        row.failures.push(`the tombstone at ${topic}/${offset} never goes`)
    }
  }
}

/** One segment is damaged, in a batch or in its seal. */
async function spoilAndLook(random: Seeded, name: string): Promise<string[]> {
  const made: Made = compactedLog(random, { messages: 1_000, keys: random.pick([3, 40]), lasts: 0.05, isTwinned: true })
  const { world, log } = made
  await log.index()
  const end = log.tail.segment
  const bad = random.below(end)
  const dataEnd = readSealedFile(world.disk, log.files, bad)?.footer.dataEnd ?? 0
  const at = random.chance(0.5) ? dataEnd - batchHeaderBytes + 8 : batchHeaderBytes + random.below(dataEnd - 200) + 64
  world.disk.bytes(log.files.path(bad))[at] ^= 1 << random.below(8)
  const found = made.supersession(0)
  lookThrough(found, end)
  const wrong: string[] = []
  for (let segment = 0; segment < end; segment++) found.forgetIds(segment)
  for (const topic of [0, 1])
    for (const [segment, offsets] of made.superseded(topic, (each) => each !== bad)) {
      const gone = goneOf(found, log, topic, segment)
      if (String(gone) !== String(offsets))
        wrong.push(`${name}, byte ${at} of segment ${bad} changed: of ${topic} in ${segment} ${gone}, not ${offsets}`)
    }
  return wrong
}

/** A reaper at work: the oldest messages are trimmed, and their segments deleted, in the middle of its look through all of them. */
async function deleteBesideLook(random: Seeded, name: string): Promise<string[]> {
  let now = Date.now()
  const engine = new Engine(simulatedWorld(), {
    ringBytes: 1 << 20,
    segmentBytes: 1 << 17,
    reaper: { now: () => now },
    writerNow: () => now,
  })
  const state = 0
  const take = (frame: TestFrame) => {
    if (engine.offer([frame]) < 0) throw new Error('there is no room in the ring')
    engine.writer.doWork()
  }
  const pass = async (ms: number, rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      now += ms / rounds
      await engine.settle(1)
    }
  }
  take({ declare: 'state', topic: state })
  const keys = random.pick([50, 300])
  for (let number = 0; engine.tail.segment < 8; number++) {
    // Nothing older of its key is anywhere: it is looked for down to the oldest segment.
    const isTombstone = random.chance(0.05)
    const key = utf8(isTombstone ? `only ${number}` : `key ${random.below(keys)}`)
    const value = isTombstone ? new Uint8Array(0) : payloadOf(state, number, 100 + random.below(800))
    take({ topic: state, value, extras: { key, headers: isTombstone ? tombstone : undefined } })
    if (number % 10 === 0) await engine.settle(1)
  }
  await engine.flush()
  await engine.settle(4)
  engine.reaper.retain('state', { compact: true, minDirty: 0.05, tombstoneMs: 0 })
  for (let segment = 1; segment < 5; segment++) {
    const first = engine.catalog.stretches(state, 0, 1e9).find((each) => each.segment === segment)?.first ?? 0
    take({ declare: 'state', topic: state, first })
    await pass(400, 1 + random.below(15))
  }
  await pass(5_000, 200)
  const errno = engine.state.reaperErrno.load()
  if (errno !== 0) return [`${name}: the reaper has taken a deleted segment for a failed device (${errno})`]
  const [oldest] = engine.files.list()
  return oldest < 4 ? [`${name}: segment ${oldest} is there yet`] : []
}
