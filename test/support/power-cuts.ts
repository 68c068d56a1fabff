/**
 * What a power cut leaves on a disk of which every change is known: since the last flush every 512-byte sector may be
 * absent, at any state in between, or present, and names may be missing until their directory is flushed.
 */
import path from 'node:path'
import { pageBytes } from '../../src/memory/memory.js'
import type { Seeded } from './seeded.js'

export const sectorBytes = 512

export type DiskEvent =
  | { kind: 'write'; inode: number; at: number; bytes: Uint8Array }
  | { kind: 'size'; inode: number; size: number }
  /** Bytes in `[from, to)` that were written before event `upTo` are on the device. */
  | { kind: 'sync'; inode: number; from: number; to: number; upTo: number }
  | { kind: 'create'; name: string; inode: number }
  | { kind: 'rename'; from: string; to: string }
  | { kind: 'remove'; name: string }
  | { kind: 'syncDirectory'; directory: string }

/** What a cut leaves of the writes that were not flushed. `kept`: all of it, as when only the process dies. */
export type ImageStyle = 'kept' | 'lost' | 'pages' | 'sectors' | 'ordered'
export const imageStyles: readonly ImageStyle[] = ['kept', 'lost', 'pages', 'sectors', 'ordered']

type Content = Uint8Array<ArrayBuffer>

interface PendingWrite {
  readonly at: number
  readonly bytes: Uint8Array
  /** Its number. */
  readonly event: number
}

/** Of the states that are kept, each at least so many events behind the one before, and about so many at the most. */
const leastStep = 128
const knownStates = 24

/** Files of a device that are looked at behind any of its events, again and again. */
export class PowerCuts {
  readonly #events: readonly DiskEvent[]
  /** In the order of their events; they do not change any more. */
  readonly #known: DeviceState[]

  /** @param events grows, and does not change */
  constructor(events: readonly DiskEvent[], names: Map<string, number>, contents: Map<number, Content>) {
    this.#events = events
    this.#known = [new DeviceState(0, { base: contents, own: new Map() }, new Map(), names, [])]
  }

  /** What a cut behind the first `eventCount` events leaves: each file's name and content. The contents are the caller's own. */
  filesAfter(eventCount: number, random: Seeded, style: ImageStyle): [name: string, content: Content][] {
    return this.#stateAfter(eventCount).cut(random, style)
  }

  /** From the nearest state that is known: from the first one the whole life would be gone through for each image. */
  #stateAfter(eventCount: number): DeviceState {
    let nearest = this.#known.findLastIndex(({ events }) => events <= eventCount)
    let state = this.#known[nearest].copy()
    const step = Math.max(leastStep, this.#events.length / knownStates)
    while (state.events < eventCount) {
      state.apply(this.#events[state.events])
      const next = this.#known[nearest + 1]
      const isApart = state.events - this.#known[nearest].events >= step
      if (!isApart || (next !== undefined && next.events - state.events < step)) continue
      this.#known.splice(++nearest, 0, state)
      state = state.copy()
    }
    return state
  }
}

/** What a device holds for good behind so many events, and what it may hold besides. */
class DeviceState {
  events: number
  readonly #contents: Contents
  readonly #pending: Map<number, PendingWrite[]>
  readonly #names: Map<string, number>
  #nameEvents: readonly DiskEvent[]

  constructor(
    events: number,
    contents: Contents,
    pending: Map<number, PendingWrite[]>,
    names: Map<string, number>,
    nameEvents: readonly DiskEvent[],
  ) {
    this.events = events
    this.#contents = contents
    this.#pending = pending
    this.#names = names
    this.#nameEvents = nameEvents
  }

  /** The contents of this one belong to both then: only the copy may change from here on. */
  copy(): DeviceState {
    const base = new Map([...this.#contents.base, ...this.#contents.own])
    const pending = new Map([...this.#pending].map(([inode, writes]) => [inode, [...writes]]))
    return new DeviceState(this.events, { base, own: new Map() }, pending, new Map(this.#names), this.#nameEvents)
  }

  apply(what: DiskEvent): void {
    const [contents, event] = [this.#contents, this.events++]
    if (what.kind === 'write') {
      const writes = this.#pending.get(what.inode) ?? []
      writes.push({ at: what.at, bytes: what.bytes, event })
      this.#pending.set(what.inode, writes)
    } else if (what.kind === 'size') {
      // Allocation is taken to reach the device with its size: a shorter file is a file that is not whole.
      contents.own.set(what.inode, resized(ownContent(contents, what.inode), what.size))
    } else if (what.kind === 'sync') {
      const left = []
      for (const write of this.#pending.get(what.inode) ?? []) {
        if (write.event >= what.upTo) left.push(write)
        else left.push(...applied(contents, what.inode, write, what.from, what.to))
      }
      this.#pending.set(what.inode, left)
    } else if (what.kind === 'syncDirectory') {
      const inside = (event: DiskEvent) => path.dirname(nameOf(event)) === what.directory
      for (const change of this.#nameEvents.filter(inside)) changeName(this.#names, change)
      this.#nameEvents = this.#nameEvents.filter((change) => !inside(change))
    } else {
      this.#nameEvents = [...this.#nameEvents, what]
    }
  }

  /** Ends this state. */
  cut(random: Seeded, style: ImageStyle): [name: string, content: Content][] {
    for (const change of this.#nameEvents) if (style === 'kept' || random.chance(0.5)) changeName(this.#names, change)
    for (const [inode, writes] of this.#pending) tear(this.#contents, inode, writes, random, style)
    return [...this.#names].map(([name, inode]) => [name, ownContent(this.#contents, inode) ?? new Uint8Array(0)])
  }
}

function tear(
  contents: Contents,
  inode: number,
  writes: readonly PendingWrite[],
  random: Seeded,
  style: ImageStyle,
): void {
  if (style === 'lost') return
  // Every unit of the device has got as far as some of its writes, in their order.
  const unitBytes = style === 'sectors' ? sectorBytes : pageBytes
  const reached = new Map<number, number>()
  const all = style === 'ordered' ? random.below(writes.length + 1) : writes.length
  writes.slice(0, all).forEach((write, index) => {
    const end = write.at + write.bytes.length
    for (let unit = Math.floor(write.at / unitBytes); unit * unitBytes < end; unit++) {
      let reach = reached.get(unit)
      if (reach === undefined) {
        reach = style === 'kept' || style === 'ordered' ? all : randomReach(random, writes.length)
        reached.set(unit, reach)
      }
      if (index < reach) applied(contents, inode, write, unit * unitBytes, (unit + 1) * unitBytes)
    }
  })
}

/** Often all or nothing: only then do later pages survive whose earlier neighbours are lost. */
function randomReach(random: Seeded, count: number): number {
  if (random.chance(0.4)) return count
  return random.chance(0.5) ? 0 : random.below(count + 1)
}

/** Files of an image that is being made: `own` ones may be changed, `base` ones belong to the disk. */
interface Contents {
  base: ReadonlyMap<number, Content>
  own: Map<number, Content>
}

function ownContent({ base, own }: Contents, inode: number): Content | undefined {
  let content = own.get(inode)
  if (content !== undefined) return content
  content = base.get(inode)?.slice()
  if (content !== undefined) own.set(inode, content)
  return content
}

/** Applies what of a write lies in `[from, to)`; returns the rest. */
function applied(contents: Contents, inode: number, write: PendingWrite, from: number, to: number): PendingWrite[] {
  const end = write.at + write.bytes.length
  const start = Math.max(write.at, from)
  const stop = Math.min(end, to)
  if (start >= stop) return [write]
  const before = ownContent(contents, inode)
  const content = resized(before, Math.max(before?.length ?? 0, stop))
  content.set(write.bytes.subarray(start - write.at, stop - write.at), start)
  contents.own.set(inode, content)
  const rest: PendingWrite[] = []
  if (write.at < start) rest.push({ ...write, bytes: write.bytes.subarray(0, start - write.at) })
  if (stop < end) rest.push({ ...write, at: stop, bytes: write.bytes.subarray(stop - write.at) })
  return rest
}

function nameOf(event: DiskEvent): string {
  if (event.kind === 'rename') return event.to
  return event.kind === 'create' || event.kind === 'remove' ? event.name : ''
}

function changeName(names: Map<string, number>, event: DiskEvent): void {
  if (event.kind === 'create') names.set(event.name, event.inode)
  if (event.kind === 'remove') names.delete(event.name)
  if (event.kind !== 'rename') return
  const inode = names.get(event.from)
  if (inode === undefined) return
  names.delete(event.from)
  names.set(event.to, inode)
}

export function resized(content: Content | undefined, size: number): Content {
  if (content?.length === size) return content
  const grown = new Uint8Array(size)
  if (content !== undefined) grown.set(content.subarray(0, size))
  return grown
}
