/**
 * Damage on the device: every single bit flipped, every file cut at every byte, every 512-byte and 4 KiB block zeroed, filled with
 * garbage or with a copy of another, every file deleted or doubled. Must: never delivered as data; reported, or harmless; never
 * more lost than the batch (or the segment, where its header is hit) that was damaged.
 *
 * Mutants it catches: no checksum, length outside the checksum, the end at the first bad batch, belief in index entries, no look at
 * the size of a segment.
 */
import { repairedLog } from '../support/repaired-log.js'
import type { Seeded } from '../support/seeded.js'
import type { SimulatedDisk } from '../support/simulated-disk.js'
import { simulatedWorld } from '../support/worlds.js'
import { type Context, emptyRow, type Fault, messageOf, type Row } from './fault.js'
import { type Found, readAround, type SmallLog, smallLog, smallSegmentBytes } from './small-log.js'

interface Damage {
  what: string
  file: string
  /** Bytes touched. */
  from: number
  to: number
  apply(disk: SimulatedDisk): void
}

const segmentHeader = 64

export const damage: Fault = {
  name: 'damage',
  isRoot: false,
  weight: 50,
  async run(context: Context): Promise<Row[]> {
    const rows: Row[] = []
    for (const isClean of [true, false]) {
      const log = await smallLog(isClean)
      const state = isClean ? 'closed log' : 'killed log'
      rows.push(...sweep(context, log, state))
    }
    return rows
  },
}

function sweep(context: Context, log: SmallLog, state: string): Row[] {
  const rows: Row[] = []
  const random = context.random(7)
  const kinds: [string, number, Iterable<Damage>][] = [
    // All of them with --scale 40: some ten minutes on a core.
    ['single bits flipped', 1 / 40, flips(log)],
    ['files cut at a byte', 1 / 10, cuts(log)],
    ['blocks zeroed, garbled, doubled', 1, blocks(log, random)],
    ['files deleted or doubled', 1, files(log)],
  ]
  for (const [what, usual, damages] of kinds) {
    const row = emptyRow(`${what}, ${state}`)
    row.acknowledged = log.values.reduce((sum, values) => sum + values.length, 0)
    row.lost = 0
    row.wrong = 0
    let refused = 0
    let detected = 0
    for (const one of sampleOf([...damages], usual * context.scale, random)) {
      const disk = log.disk.copy()
      one.apply(disk)
      row.runs += 1
      try {
        let found = readAround(disk, log.values)
        let hidden: string | undefined
        if (found.refused !== undefined) {
          refused += 1
          // Without the identity in the control file there is no log to open; from the files, which are as they were, a repair makes it anew.
          if (one.file !== '/log/control') hidden = `the log does not open: ${found.refused}`
          repairedLog(simulatedWorld(disk, false))
          found = readAround(disk, log.values)
        }
        if (found.errors > 0) detected += 1
        row.wrong += found.wrong
        hidden ??= hiddenBy(log, one, found)
        if (hidden !== undefined) {
          row.lost += 1
          row.failures.push(`${one.what} of ${one.file} at ${one.from}: ${hidden}`)
        }
        if (found.wrong > 0) row.failures.push(`${one.what} of ${one.file} at ${one.from}: wrong bytes delivered`)
      } catch (error) {
        row.failures.push(`${one.what} of ${one.file} at ${one.from}: ${messageOf(error)}`)
      }
      if (row.failures.length > 20) break
    }
    row.note = `${detected} detected, ${refused} refused to open, the rest harmless`
    rows.push(row)
  }
  return rows
}

/** With a scale below 1: some of them, drawn from the seed, but one at the least. */
function sampleOf(damages: readonly Damage[], share: number, random: Seeded): readonly Damage[] {
  if (share >= 1) return damages
  const drawn = damages.filter(() => random.chance(share))
  return drawn.length > 0 ? drawn : [damages[random.below(damages.length)]]
}

/** What is missing although the damage did not touch it. */
function hiddenBy(log: SmallLog, damage: Damage, { delivered, refused }: Found): string | undefined {
  if (refused !== undefined) return `the repaired log does not open: ${refused}`
  const isWholeSegment = damage.from < segmentHeader
  for (const { topic, offset, file, from, to } of log.places) {
    if (delivered[topic].has(offset)) continue
    const isHit = file === damage.file && (isWholeSegment || (damage.from < to && from < damage.to))
    if (!isHit) return `message ${offset} of topic ${topic} is not delivered`
  }
  return undefined
}

function pathsOf(log: SmallLog): string[] {
  return [
    ...log.disk.list('/log').flatMap((name) => (log.disk.has(`/log/${name}`) ? [`/log/${name}`] : [])),
    ...log.disk.list('/log/log').map((n) => `/log/log/${n}`),
  ]
}

function* flips(log: SmallLog): Generator<Damage> {
  for (const file of pathsOf(log)) {
    const { length } = log.disk.bytes(file)
    for (let bit = 0; bit < length * 8; bit++) {
      const at = bit >>> 3
      const apply = (disk: SimulatedDisk) => {
        disk.bytes(file)[at] ^= 1 << (bit & 7)
      }
      yield { what: `bit ${bit & 7}`, file, from: at, to: at + 1, apply }
    }
  }
}

function* cuts(log: SmallLog): Generator<Damage> {
  for (const file of pathsOf(log)) {
    const { length } = log.disk.bytes(file)
    for (let size = 0; size < length; size++) {
      // A short segment is no segment: it is refused as a whole.
      const from = file.endsWith('.seg') ? 0 : size
      yield { what: `cut to ${size}`, file, from, to: length, apply: (disk) => disk.truncate(file, size) }
    }
  }
}

function* blocks(log: SmallLog, random: Seeded): Generator<Damage> {
  for (const file of pathsOf(log)) {
    const { length } = log.disk.bytes(file)
    for (const size of [512, 4096]) {
      for (let at = 0; at < length; at += size) {
        const range = { file, from: at, to: Math.min(length, at + size) }
        yield { ...range, what: `zeroed ${size}`, apply: (disk) => disk.bytes(file).fill(0, range.from, range.to) }
        const garbage = Uint8Array.from({ length: range.to - at }, () => random.below(256))
        yield { ...range, what: `garbled ${size}`, apply: (disk) => disk.bytes(file).set(garbage, at) }
        for (const other of [random.below(length / size) * size, 0, Math.max(0, at - size)]) {
          const copy = log.disk.bytes(file).slice(other, other + range.to - at)
          yield { ...range, what: `${size} copied from ${other}`, apply: (disk) => disk.bytes(file).set(copy, at) }
        }
      }
    }
  }
}

function* files(log: SmallLog): Generator<Damage> {
  const all = pathsOf(log)
  for (const file of all) {
    const to = log.disk.bytes(file).length
    yield { what: 'deleted', file, from: 0, to, apply: (disk) => disk.drop(file) }
    yield { what: 'emptied', file, from: 0, to, apply: (disk) => disk.truncate(file, 0) }
    for (const other of all) {
      if (other === file || !other.endsWith('.seg') || !file.endsWith('.seg')) continue
      const apply = (disk: SimulatedDisk) => disk.put(file, log.disk.bytes(other))
      yield { what: `replaced by ${other}`, file, from: 0, to, apply }
    }
  }
  const behind = `/log/log/${String(9 * smallSegmentBytes).padStart(20, '0')}.seg`
  for (const file of all.filter((name) => name.endsWith('.seg'))) {
    const apply = (disk: SimulatedDisk) => disk.put(behind, log.disk.bytes(file))
    yield { what: `doubled as ${behind}`, file, from: 0, to: 0, apply }
  }
}
