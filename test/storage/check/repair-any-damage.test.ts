/** Logs with random damage, several places at once: what a repair may change, and what not. */
import { expect, it } from 'vitest'
import { BookendError } from '../../../src/errors.js'
import { payloadOf, type TestFrame } from '../../support/frames.js'
import { recordsOf } from '../../support/model.js'
import { checkedLog, repairedLog } from '../../support/repair.js'
import { Seeded } from '../../support/seeded.js'
import type { SimulatedDisk } from '../../support/simulated-disk.js'
import { bootA, StorageLog, testSegmentBytes } from '../../support/storage-log.js'
import { simulatedWorld } from '../../support/worlds.js'

const names = ['busy', 'early', 'once', 'rare']

/** One to three segments, with index or without, closed in order or not; two topics stand in the first segment only. */
async function made(random: Seeded) {
  const { disk, ...world } = simulatedWorld()
  const log = new StorageLog({ ...world, disk })
  const values: Uint8Array[][] = names.map(() => [])
  const segments = 1 + random.below(3)
  while (log.tail.segment < segments || log.tail.relative < 30_000) {
    const topic = log.tail.segment === 0 ? random.below(4) : random.chance(0.9) ? 0 : 3
    const frames: TestFrame[] = values[topic].length === 0 ? [{ declare: names[topic], topic }] : []
    for (let count = 1 + random.below(3); count > 0; count--) {
      const value = payloadOf(topic, values[topic].length, random.below(random.chance(0.2) ? 60_000 : 3_000))
      values[topic].push(value)
      frames.push({ topic, value })
    }
    log.append(frames)
    if (random.chance(0.02)) log.roll()
  }
  if (random.chance(0.7)) await log.index()
  else log.flush()
  log.close(random.chance(0.5))
  return { disk, log, values }
}

function damage(disk: SimulatedDisk, { files, tail }: StorageLog, random: Seeded): void {
  const segment = random.below(tail.segment + 1)
  const file = files.path(segment)
  if (!disk.has(file)) return
  const end = segment === tail.segment ? tail.relative : testSegmentBytes
  const at = random.below(end)
  const way = random.below(10)
  if (way < 5) disk.bytes(file)[at] ^= 1 << random.below(8)
  else if (way < 8) disk.bytes(file).fill(random.pick([0, 7]), at, Math.min(end, at + random.below(100_000)))
  else if (way === 8 && segment < tail.segment) disk.drop(file)
  else disk.bytes(file).fill(3, 0, 300 + random.below(2_000))
}

/** The topics that the next owner finds, each with the offsets that are delivered to it, which have to be right. */
function delivered(disk: SimulatedDisk, values: readonly Uint8Array[][]) {
  const { recovered, reader } = new StorageLog(simulatedWorld(disk.copy()), { bootId: bootA })
  return recovered.topics.map(({ id, name, first, next }) => {
    const offsets = values[id].flatMap((value, offset) => {
      try {
        const bytes = reader.readOne(id, offset)
        if (bytes === undefined) return []
        expect(Buffer.compare(recordsOf(bytes, id, offset, offset + 1)[0].value, value)).toBe(0)
        return [offset]
      } catch (error) {
        if (!(error instanceof BookendError)) throw error
        return []
      }
    })
    return { id, name, first, next, offsets }
  })
}

it('a repair keeps every message that is delivered and every name; verify counts what is not', async () => {
  // The last: a message whose index lies, and another segment that is missing.
  for (const seed of [...Array(24).keys(), 442]) {
    const random = new Seeded(seed)
    const { disk, log, values } = await made(random)
    for (let count = 1 + random.below(4); count > 0; count--) damage(disk, log, random)
    const before = delivered(disk, values)
    repairedLog(simulatedWorld(disk))
    const { damages, remarks } = checkedLog(simulatedWorld(disk)).report
    expect(damages.filter(({ kind }) => kind !== 'offsets')).toEqual([])
    const lost = [...damages, ...remarks].flatMap((found) => found.lost)
    for (const { id, name, first, next, offsets } of delivered(disk, values)) {
      const old = before.find((topic) => topic.id === id)
      expect(offsets, `${seed}`).toEqual(old?.offsets ?? [])
      // What the index says is found by the repair only.
      if (offsets.length > 0) expect(first).toBe(old?.first)
      expect([names[id], `lost-${id}`], `${seed}`).toContain(name)
      for (let offset = first; offset < Math.min(next, values[id].length); offset++) {
        const isLost = lost.some(({ topic, from, to = next }) => topic === name && from <= offset && offset < to)
        expect(isLost, `${seed}: ${name} ${offset}`).toBe(!offsets.includes(offset))
      }
    }
  }
})
