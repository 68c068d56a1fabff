/**
 * What the tail knows of each topic: its name, where its next record goes, the first that can be read, and the segment that declares
 * it last. What declarations of an append have replaced is kept until the append is through, so that one that fails is taken back.
 */
import { assert } from '../../errors.js'
import { declarePayloadLength, writeDeclareFrame } from '../../format/frame-encoder.js'
import { frameBytes } from '../../format/frame-layout.js'
import { isRegister } from '../../format/hidden-topics.js'
import { directoryRowBytes } from '../../format/segment-layout.js'
import { alignmentBytes } from '../../limits.js'
import { DeclaredTopics } from './declared-topics.js'
import type { TailState, TopicState } from './topic-state.js'

/** A topic that a batch declares, and where it stood in front of that batch. */
export interface Declaration {
  id: number
  next: number
}

export class TopicTable {
  // Per topic id, grown on demand.
  #next = new Float64Array(64)
  #first = new Float64Array(64)
  #touchedBy = new Int32Array(64)
  readonly #declared = new DeclaredTopics()
  readonly #names: string[] = []

  /** Topics whose next or first offset changed since the last {@link takeTouched}, which begins a new turn. */
  #touched: number[] = []
  #turn = 1

  /** The active segment, the topics it declares, and the bytes of their names: its index needs room for them. */
  #segment: number
  #here: number
  #nameBytes: number
  /** The same as they were when the append under way began, and what its declarations have replaced. */
  #hereBefore = 0
  #nameBytesBefore = 0
  readonly #replaced: { id: number; declaredIn: number; first: number }[] = []

  constructor(tail: TailState, topics: readonly TopicState[]) {
    this.#segment = tail.segment
    this.#here = tail.topics
    this.#nameBytes = tail.nameBytes
    // In the order of segments none has to look for its place.
    for (const topic of [...topics].sort((a, b) => a.declaredIn - b.declaredIn)) {
      this.makeRoom(topic.id)
      this.#next[topic.id] = topic.next
      this.#first[topic.id] = topic.first
      this.#declared.put(topic.id, topic.declaredIn)
      this.#names[topic.id] = topic.name
    }
  }

  next(id: number): number {
    return this.#next[id]
  }

  first(id: number): number {
    return this.#first[id]
  }

  setFirst(id: number, first: number): void {
    this.#first[id] = first
  }

  /** `before` as a first offset: it never goes back, and never past the next append. */
  raisedFirst(id: number, before: number): number {
    return Math.min(Math.max(this.#first[id], before), this.#next[id])
  }

  /** So many records are appended now. */
  takeOffsets(id: number, count: number): void {
    this.#next[id] += count
  }

  /** The last one that was taken is free again. */
  giveOffsetBack(id: number): void {
    this.#next[id] -= 1
  }

  takeTouched(): number[] {
    const touched = this.#touched
    this.#touched = []
    this.#turn += 1
    return touched
  }

  touch(id: number): void {
    if (this.#touchedBy[id] === this.#turn) return
    this.#touchedBy[id] = this.#turn
    this.#touched.push(id)
  }

  /** How many topics the active segment declares. */
  get here(): number {
    return this.#here
  }

  /** The bytes of their names. */
  get nameBytes(): number {
    return this.#nameBytes
  }

  isHere(id: number): boolean {
    return this.#declared.segmentOf(id) === this.#segment
  }

  /** Topics declared in no segment from `segment` on, the longest ago first. Nothing is declared meanwhile. */
  declaredBelow(segment: number): Iterable<number> {
    return this.#declared.below(segment)
  }

  /** `segment` is the active one from now on, and declares nothing yet. */
  enter(segment: number): void {
    this.#segment = segment
    this.#here = 0
    this.#nameBytes = 0
  }

  /** The active segment declares the topic: its index will have a row more. */
  declare(id: number): void {
    if (this.isHere(id)) return
    this.#declared.put(id, this.#segment)
    this.#here += 1
    this.#nameBytes += this.#names[id].length
  }

  /** From here on {@link takeBack} knows what was before. */
  beginAppend(): void {
    this.#hereBefore = this.#here
    this.#nameBytesBefore = this.#nameBytes
    this.#replaced.length = 0
  }

  /** Comes before what a declaration of the append under way changes. */
  noteReplaced(id: number): void {
    this.#replaced.push({ id, declaredIn: this.#declared.segmentOf(id), first: this.#first[id] })
  }

  takeBack(): void {
    this.#here = this.#hereBefore
    this.#nameBytes = this.#nameBytesBefore
    for (const { id, declaredIn, first } of this.#replaced.reverse()) {
      this.#declared.put(id, declaredIn)
      this.#first[id] = first
    }
  }

  knows(id: number): boolean {
    return this.#names[id] !== undefined
  }

  /** See format/hidden-topics.ts. */
  isRegister(id: number): boolean {
    return isRegister(this.#names[id])
  }

  /** A topic keeps its name. */
  learn(id: number, name: string): void {
    this.makeRoom(id)
    this.#names[id] ??= name
  }

  /** What declaring a topic takes in a batch. */
  declarationBytes(id: number): number {
    return frameBytes(declarePayloadLength(this.#names[id]))
  }

  /** And in the index of the segment. */
  rowBytes(id: number): number {
    return directoryRowBytes + this.#names[id].length + alignmentBytes
  }

  /** Writes a declaration at `at`; returns where it ends. */
  putDeclaration(target: Uint8Array, words: Uint32Array, at: number, { id, next }: Declaration): number {
    writeDeclareFrame(target, words, at, id, this.#names[id], this.#first[id], 0, next)
    return at + this.declarationBytes(id)
  }

  makeRoom(id: number): void {
    if (id < this.#next.length) return
    let size = this.#next.length
    while (size <= id) size *= 2
    const grow = <A extends Float64Array | Int32Array>(from: A, to: A): A => {
      to.set(from as never)
      return to
    }
    this.#next = grow(this.#next, new Float64Array(size))
    this.#first = grow(this.#first, new Float64Array(size))
    this.#touchedBy = grow(this.#touchedBy, new Int32Array(size))
    assert(id < size, 'a topic id has a row')
  }
}
