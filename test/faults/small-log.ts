/** A small log with everything in it that a log can have, and what of it can still be read after it was damaged. */
import { BookendError } from '../../src/errors.js'
import { Engine } from '../support/engine.js'
import { payloadOf } from '../support/frames.js'
import { recordsOf } from '../support/model.js'
import type { SimulatedDisk } from '../support/simulated-disk.js'
import { bootA, StorageLog } from '../support/storage-log.js'
import { simulatedWorld } from '../support/worlds.js'

export const smallSegmentBytes = 16 * 1024
const names = ['orders', 'audit']
const extras = { key: Buffer.from('key'), headers: Buffer.from('{"source":"test"}') }

export interface SmallLog {
  disk: SimulatedDisk
  /** By topic, the records in order. */
  values: Uint8Array[][]
  /** Where the batch of each record stands: topic, offset, file, and the bytes of the batch in it. */
  places: { topic: number; offset: number; file: string; from: number; to: number }[]
  /** Positions up to which everything is durable. */
  end: number
}

/** Two sealed segments with indexes, one without, and the active one; all of it durable, closed or not. */
export async function smallLog(isClean: boolean): Promise<SmallLog> {
  const world = simulatedWorld()
  const log = new StorageLog(world, { segmentBytes: smallSegmentBytes, now: () => 1_000 })
  const values: Uint8Array[][] = names.map(() => [])
  names.forEach((declare, topic) => {
    log.append([{ declare, topic }])
  })
  const add = (topic: number, bytes: number) => {
    const value = payloadOf(topic, values[topic].length, bytes)
    values[topic].push(value)
    return { topic, value, extras: topic === 1 ? extras : undefined }
  }
  for (let segment = 0; segment < 4; segment++) {
    for (let batch = 0; batch < 6; batch++) log.append([add(batch % 2, 300 + 170 * batch), add(0, 90)])
    const group = [add(1, 500), add(1, 20)]
    log.appendGroup(
      1,
      group.map(({ value }) => value),
    )
    if (segment === 3) break
    log.roll()
    if (segment < 2) await log.index()
  }
  log.flush()
  const end = log.published
  const places: SmallLog['places'] = []
  for (const [topic, all] of values.entries()) {
    for (let offset = 0; offset < all.length; offset++) {
      const place = log.catalog.locate(topic, offset)
      if (place === undefined) throw new Error('every record has a place')
      const file = log.files.path(place.segment)
      const words = new DataView(world.disk.bytes(file).buffer)
      places.push({ topic, offset, file, from: place.batch, to: place.batch + words.getUint32(place.batch + 8, true) })
    }
  }
  log.close(isClean)
  return { disk: world.disk, values, places, end }
}

export interface Found {
  /** The log does not open: the code why. */
  refused?: string
  /** Offsets delivered, by topic. */
  delivered: Set<number>[]
  wrong: number
  errors: number
}

/** Opens what is on the disk and reads all of it, going on behind every error as an application would. */
export function readAround(disk: SimulatedDisk, values: readonly Uint8Array[][]): Found {
  const found: Found = { delivered: values.map(() => new Set()), wrong: 0, errors: 0 }
  let engine: Engine
  try {
    engine = new Engine(simulatedWorld(disk, false), {
      bootId: bootA,
      segmentBytes: smallSegmentBytes,
      ringBytes: 4096,
    })
  } catch (error) {
    if (!(error instanceof BookendError)) throw error
    found.refused = error.code
    return found
  }
  found.errors += engine.recovered.damages.length
  for (const { id, first, next } of engine.recovered.topics) {
    if (id >= values.length) throw new Error(`a topic ${id} that nobody made`)
    for (let offset = first; offset < next; ) offset = readOnce(engine, id, offset, next, values[id], found)
  }
  return found
}

function readOnce(
  engine: Engine,
  topic: number,
  offset: number,
  to: number,
  values: readonly Uint8Array[],
  found: Found,
): number {
  try {
    const chunk = engine.reader.read({ topic, offset, to, resume: undefined })
    for (const record of recordsOf(chunk.bytes, topic, offset, chunk.next)) {
      const expected = values[record.offset]
      const isRight = expected !== undefined && Buffer.compare(record.value, expected) === 0
      if (!isRight || found.delivered[topic].has(record.offset)) found.wrong += 1
      found.delivered[topic].add(record.offset)
    }
    if (chunk.next <= offset) throw new Error(`a chunk from ${offset} does not go on`)
    return chunk.next
  } catch (error) {
    if (!(error instanceof BookendError)) throw error
    found.errors += 1
    const { next } = error
    // Without it nothing more of the topic is known to be there.
    return next === undefined ? to : Math.max(next, offset + 1)
  }
}
