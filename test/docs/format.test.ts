import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { writeBatchHeader } from '../../src/format/batch-layout.js'
import { newBell, putBell } from '../../src/format/bell-layout.js'
import {
  controlBytes,
  controlIdentityAt,
  controlIdentityBytes,
  controlRecordAt,
  controlRecordBytes,
  encodeControlFile,
  encodeControlRecord,
} from '../../src/format/control-layout.js'
import { frameFlag, frameKind, tailWord } from '../../src/format/frame-layout.js'
import {
  encodeGroupHeader,
  encodeGroupIdentity,
  encodeGroupRecord,
  groupCellAt,
  groupCellBytes,
  groupFileVersion,
  groupRecordAt,
  groupSectorBytes,
} from '../../src/format/group-layout.js'
import { joinWords } from '../../src/format/numbers.js'
import {
  directoryRowBytes,
  encodeDirectory,
  encodeFooter,
  encodeSegmentHeader,
  entryBytes,
  entryWord,
  footerBytes,
  formatVersion,
  segmentHeaderBytes,
} from '../../src/format/segment-layout.js'
import { encodeSideIndex } from '../../src/format/side-index-layout.js'
import { maxGroupRanges, maxGroups } from '../../src/limits.js'
import { readText } from './repository.js'

const document = readText('docs/format.md')

/** A table of docs/format.md: fields by name, in the first table that has all the names asked for. */
function tableWith(...names: string[]): (bytes: Uint8Array, name: string) => number {
  for (const table of document.split(/\n\n/).filter((block) => block.startsWith('| at | bytes | field |'))) {
    const rows = table.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
    const fields = new Map(
      rows.slice(2).map(([, at, length, name]) => [name!, { at: Number(at), length: Number(length) }]),
    )
    if (!names.every((name) => fields.has(name))) continue
    return (bytes, name) => {
      const { at, length } = fields.get(name)!
      const view = new DataView(bytes.buffer, bytes.byteOffset + at)
      return length === 8 ? joinWords(view.getUint32(0, true), view.getUint32(4, true)) : view.getUint32(0, true)
    }
  }
  throw new Error(`docs/format.md has no table with ${names.join(', ')}`)
}

/** Every field must stand where the document says, with the value that was put in. */
function expectFields(bytes: Uint8Array, values: Record<string, number>): void {
  const read = tableWith(...Object.keys(values))
  for (const [name, value] of Object.entries(values)) expect(read(bytes, name), name).toBe(value)
}

const large = 2 ** 40 + 7
/** Eight such bytes, as the tables are read. */
const joined = (byte: number) => joinWords(byte * 0x01010101, byte * 0x01010101)

describe('docs/format.md says where every field stands:', () => {
  it('side index', () => {
    const owner = { base: large, logMark: '0c'.repeat(8), footerCrc: 9 }
    const rows = { rowWords: Uint32Array.of(5, 6) }
    const section = { topic: 3, records: 4, firstOffset: large, name: 'ab', ...rows }
    const times = { topic: 3, records: 4, firstOffset: large, firstTime: large + 1 }
    const timed = { ...times, rowWords: Uint32Array.of(7, 1) }
    const bytes = encodeSideIndex(owner, [{ ...section, name: undefined }, section], [timed])
    const headBytes = 64 + 3 * 40 + 3 * 8 + 2
    const head = { magic: 0x31584b42, version: 1, headBytes, base: large, 'log mark': joined(0x0c), footerCrc: 9 }
    expectFields(bytes, { ...head, crc: crc32(bytes.subarray(8, headBytes)), sections: 3, pages: 3 })
    const named = { topic: 3, records: 4, firstOffset: large, rows: 1, page: 1, nameBytes: 2, nameAt: headBytes - 2 }
    expectFields(bytes.subarray(64 + 40), named)
    expectFields(bytes.subarray(64), { ...named, page: 0, nameBytes: 0xffffffff })
    expectFields(bytes.subarray(64 + 2 * 40), { ...times, rows: 1, page: 2, nameBytes: 0xfffffffe })
    expect([...new Uint32Array(bytes.buffer, 4096 + 8, 2)]).toEqual([5, 6])
    expect(new Uint32Array(bytes.buffer, 4096, 1)[0]).toBe(crc32(bytes.subarray(4096 + 4, 2 * 4096)))
    expect(bytes.length).toBe(4 * 4096)
  })

  it('control file', () => {
    const features = { compatible: 6, readOnlyCompatible: 7, incompatible: 8 }
    const identity = { version: 3, segmentBytes: 5, created: large, features, id: '0b'.repeat(16) }
    const bytes = encodeControlFile(identity)
    const magic = 0x31434b42
    const numbers = { version: 3, segmentBytes: 5, created: large, ...features, id: 0x0b0b0b0b }
    expectFields(bytes, { magic, crc: crc32(bytes.subarray(8, 64)), ...numbers })
    expect([...bytes.subarray(36, 57)]).toEqual([0, 0, 0, 0, ...new Array(16).fill(0x0b), 0])
    expect(bytes.length).toBe(controlBytes)
    expect(document).toContain(`| ${controlIdentityAt[1]} | ${controlIdentityBytes} | spare |`)
    expect(document).toContain(`| ${controlRecordAt[0]} | ${controlRecordBytes} | record A |`)
    expect(document).toContain(`| ${controlRecordAt[1]} | ${controlRecordBytes} | record B |`)
  })

  it('control record', () => {
    const numbers = { sequence: 1, epoch: 2, published: large, durable: large + 1, trim: large + 2, time: large + 3 }
    const bytes = encodeControlRecord({ ...numbers, isClean: true, bootId: '0a'.repeat(16) })
    expectFields(bytes, { ...numbers, flags: 1, crc: crc32(bytes.subarray(4)), 'boot id': 0x0a0a0a0a })
  })

  it('groups file', () => {
    const bytes = encodeGroupHeader('0c'.repeat(8))
    const magic = 0x31474b42
    expectFields(bytes, {
      magic,
      crc: crc32(bytes.subarray(8, 64)),
      version: groupFileVersion,
      'log mark': joined(0x0c),
    })
    expect([...bytes.subarray(15, 25)]).toEqual([0, ...new Array(8).fill(0x0c), 0])
    expect([groupCellAt(0), groupCellAt(1) - groupCellAt(0)]).toEqual([groupCellBytes, groupCellBytes])
    const [recordA, recordB] = [2, 1].map((sequence) => groupRecordAt(5, sequence) - groupCellAt(5))
    expect(document).toContain(`| ${recordA} | ${groupSectorBytes} | record A |`)
    expect(document).toContain(`| ${recordB} | ${groupSectorBytes} | record B |`)
    expect(document).toContain(`cells of ${groupCellBytes.toLocaleString('en')} bytes`)
    expect(document).toContain(`at most ${maxGroups.toLocaleString('en')}`)
    expect(document).toContain(`number of ranges, at most ${maxGroupRanges}`)
  })

  it('bell', () => {
    const bytes = newBell('0c'.repeat(8))
    const numbers = { sequence: 9, epoch: 3, published: large, trim: large - 1 }
    putBell(bytes, new DataView(bytes.buffer), numbers)
    expectFields(bytes, { crc: crc32(bytes.subarray(4)), ...numbers, 'log mark': joined(0x0c) })
    expect(document).toContain(`bell                        ${bytes.length} bytes`)
  })

  it('group identity', () => {
    const bytes = encodeGroupIdentity(7, { topic: 'topic', name: 'group-x' })
    expectFields(bytes, { crc: crc32(bytes.subarray(4)), cell: 7, topicBytes: 5, groupBytes: 7 })
    expect(Buffer.from(bytes.subarray(16, 28)).toString()).toBe('topicgroup-x')
  })

  it('group record', () => {
    const ranges = [{ first: large + 1, end: large + 2 }]
    const bytes = encodeGroupRecord(7, { sequence: 9, state: { committed: large, ranges } })
    expectFields(bytes, { crc: crc32(bytes.subarray(4)), sequence: 9, committed: large, ranges: 1, cell: 7 })
    const view = new DataView(bytes.buffer)
    expect(joinWords(view.getUint32(24, true), view.getUint32(28, true))).toBe(large + 1)
    expect(joinWords(view.getUint32(32, true), view.getUint32(36, true))).toBe(large + 2)
  })

  it('segment header', () => {
    const numbers = { version: formatVersion, segmentBytes: 5, base: large, epoch: 6, features: 7, generation: 8 }
    const bytes = encodeSegmentHeader({ ...numbers, created: large + 1, logMark: '0d'.repeat(8) })
    expectFields(bytes, {
      magic: 0x31534b42,
      crc: crc32(bytes.subarray(8)),
      ...numbers,
      created: large + 1,
      'log mark': joined(0x0d),
    })
    expect([...bytes.subarray(55, 64)]).toEqual([0, ...new Array(8).fill(0x0d)])
    expect(bytes.length).toBe(segmentHeaderBytes)
  })

  it('batch', () => {
    const bytes = new Uint8Array(64).fill(1)
    writeBatchHeader(bytes, new Uint32Array(bytes.buffer), 0, 64, 2, large, large + 1, 3, 4, 1, 5)
    expectFields(bytes, {
      magic: 0x31424b42,
      'header crc': crc32(bytes.subarray(8, 48)),
      bytes: 64,
      count: 2,
      position: large,
      time: large + 1,
      epoch: 3,
      'body crc': 5,
      topic: 4,
      flags: 1,
    })
  })

  it('frame', () => {
    const words = new Uint32Array([9, 8, 7, tailWord(6, frameKind.declare, frameFlag.extended)])
    const bytes = new Uint8Array(words.buffer)
    expectFields(bytes, { length: 9, topic: 8, offset: 7 })
    expect([...bytes.subarray(12)]).toEqual([6, 0, frameKind.declare, frameFlag.extended])
    for (const [name, kind] of Object.entries(frameKind)) expect(document).toContain(`${kind} \`${name}\``)
    for (const [name, flag] of Object.entries(frameFlag)) expect(document).toContain(`${flag} \`${name}\``)
  })

  it('index entry', () => {
    const words = new Uint32Array(entryBytes / 4)
    for (const [name, value] of Object.entries({ batch: 1, frame: 2, length: 3, tag: 4 })) {
      words[entryWord[name as keyof typeof entryWord]] = value
    }
    expectFields(new Uint8Array(words.buffer), { batch: 1, frame: 2, length: 3, tag: 4 })
  })

  it('directory', () => {
    const row = { topic: 1, count: 2, firstOffset: large, readable: large + 1, entriesAt: 3, frameBytes: 4 }
    const bytes = encodeDirectory([{ ...row, name: 'abc' }])
    expectFields(bytes, { ...row, nameBytes: 3, nameAt: directoryRowBytes })
    expect(bytes.length).toBe(directoryRowBytes + 8)
  })

  it('footer', () => {
    const parts = { base: large, dataEnd: 1, records: 2, entriesAt: 3, directoryAt: 4, topics: 5, directoryCrc: 6 }
    const rest = { firstTime: large + 1, lastTime: large + 2, entriesCrc: 7, tableAt: 8 }
    const bytes = encodeFooter({ ...parts, ...rest })
    expectFields(bytes, { magic: 0x31464b42, crc: crc32(bytes.subarray(8)), ...parts, ...rest })
    expect(bytes.length).toBe(footerBytes)
  })
})
