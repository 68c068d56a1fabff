/** When the writer maps the segment it appends to, and when it lets go of those it has left. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { quietMsToMap, shortBatchesToMap } from '../../../src/limits.js'
import { ChunkCursor, partsOf } from '../../../src/messages/chunk-cursor.js'
import { openFiles } from '../../fixtures/mappings.mjs'
import { payloadOf } from '../../support/frames.js'
import { StorageLog } from '../../support/storage-log.js'
import { memoryKinds, realWorld, type World } from '../../support/worlds.js'

const topic = 0
const longBytes = 40_000
const shortBytes = 100

let world: World
let log: StorageLog
let timeMs: number
let byteLengths: number[]

function open(kind: 'file' | 'koffi', mapsAlways = false): void {
  world = realWorld(kind)
  log = new StorageLog(world, { now: () => timeMs, mapsAlways })
  log.append([{ declare: 't', topic }])
}

function append(byteLength: number, count = 1): void {
  for (let index = 0; index < count; index++) {
    log.append([{ topic, value: payloadOf(topic, byteLengths.length, byteLength) }])
    byteLengths.push(byteLength)
  }
}

/** As the writer does: the next segment is opened before this one is full. */
function roll(): void {
  log.files.create(log.tail.segment + 1, 1, 1, world.calls)
  log.tail.openNext()
  log.roll()
}

const mapped = () =>
  [...log.slots.rows()]
    .filter(({ access }) => access === 'write')
    .map(({ segment }) => segment)
    .sort()

function expectAllThere(): void {
  const count = byteLengths.length
  for (let offset = 0; offset < count; ) {
    const { bytes, next } = log.reader.read({ topic, offset, to: count, resume: undefined })
    const cursor = new ChunkCursor(bytes, topic, offset, next)
    while (cursor.next()) {
      const { valueStart, valueEnd } = partsOf(cursor.words, cursor.frame)
      const expected = payloadOf(topic, cursor.offset, byteLengths[cursor.offset])
      expect(Buffer.compare(bytes.subarray(valueStart, valueEnd), expected), `offset ${cursor.offset}`).toBe(0)
    }
    offset = next
  }
}

beforeEach(() => {
  timeMs = 1_000
  byteLengths = []
})
afterEach(() => {
  log.close(false)
  world.dispose()
})

const noMapping = memoryKinds().find(({ kind }) => kind === 'koffi')?.missing !== undefined

describe.skipIf(noMapping)('mapped', () => {
  it('a segment behind one of long batches is not mapped, before or after the roll', () => {
    open('koffi')
    append(longBytes, 10)
    expect(mapped()).toEqual([0])
    roll()
    append(longBytes, 10)
    append(shortBytes, shortBatchesToMap - 1)
    append(longBytes)
    append(shortBytes, shortBatchesToMap - 1)
    expect(mapped()).toEqual([0])
    roll()
    expect(mapped()).toEqual([0])
    expectAllThere()
  })

  it('short batches in a row map it, and where they are the rule the next one is mapped ahead', () => {
    open('koffi')
    append(longBytes, 10)
    roll()
    append(shortBytes, shortBatchesToMap - 1)
    expect(mapped()).toEqual([0])
    append(shortBytes)
    expect(mapped()).toEqual([0, 1])
    append(shortBytes, 20)
    log.files.create(2, 1, 1, world.calls)
    log.tail.openNext()
    expect(mapped()).toEqual([0, 1, 2])
    log.roll()
    append(shortBytes)
    expectAllThere()
  })

  it('it is mapped when nothing has come for a while, once', () => {
    open('koffi')
    append(longBytes, 10)
    roll()
    append(longBytes)
    expect(log.tail.isUnmapped).toBe(true)
    timeMs += quietMsToMap - 1
    log.tail.mapIfQuiet()
    expect(mapped()).toEqual([0])
    timeMs += 1
    log.tail.mapIfQuiet()
    expect(mapped()).toEqual([0, 1])
    expect(log.tail.isUnmapped).toBe(false)
    append(longBytes)
    append(shortBytes)
    expectAllThere()
  })

  it('that while is no longer where the clock was put back', () => {
    open('koffi')
    append(longBytes, 10)
    roll()
    append(longBytes)
    timeMs -= 900
    append(longBytes)
    timeMs += quietMsToMap
    log.tail.mapIfQuiet()
    expect(mapped()).toEqual([0, 1])
  })

  it('a segment whose pages are to be locked is mapped whatever comes', () => {
    open('koffi', true)
    append(longBytes, 10)
    roll()
    append(longBytes)
    expect(mapped()).toEqual([0, 1])
    expectAllThere()
  })
})

it('without a mapping, files of segments that were left are closed: a deleted one would keep its space', () => {
  open('file')
  for (let segment = 0; segment < 5; segment++) {
    append(longBytes)
    append(shortBytes, 3)
    roll()
  }
  expect(openFiles(log.files.directory).sort()).toEqual([4, 5].map((segment) => log.files.path(segment)))
  expectAllThere()
})
