/** The topics of a segment while it is walked: how far each has come, and which offsets of it are missing or come twice. */
import { declaredName, frameBytes, frameHeaderBytes, frameWord, offsetOf } from '../../format/frame-layout.js'
import { isRegister } from '../../format/hidden-topics.js'
import { joinWords } from '../../format/numbers.js'
import type { DirectoryRow } from '../../format/segment-layout.js'
import type { SegmentFindings } from './segment-findings.js'
import type { Piece, StoredIndex } from './stored-index.js'
import type { TopicInSegment } from './verify-report.js'

export interface WalkedTopic extends Omit<TopicInSegment, 'leastFirst'> {
  /** Place of its last frame: what is missing behind it was taken by damage behind it. */
  lastAt: number
  row: DirectoryRow | undefined
  /** Of its index entries: those that agree with a frame. */
  matched: number
  /** Of its record frames. */
  frameBytes: number
  /** Time of its last batch if that was moved forward: only then may the next one be older than its neighbours. */
  movedTime: number | undefined
}

export class WalkedTopics {
  readonly #base: number
  readonly #findings: SegmentFindings
  readonly #index: StoredIndex
  readonly #topics = new Map<number, WalkedTopic>()

  constructor(base: number, findings: SegmentFindings, index: StoredIndex) {
    this.#base = base
    this.#findings = findings
    this.#index = index
  }

  get(id: number): WalkedTopic | undefined {
    return this.#topics.get(id)
  }

  values(): IterableIterator<WalkedTopic> {
    return this.#topics.values()
  }

  /**
   * @param at relative place of the declaration
   * @param firstAt where the topic begins if this is its first
   */
  addDeclaration({ bytes, words }: Piece, frame: number, at: number, firstAt = at): void {
    const word = frame >>> 2
    const payload = frame + frameHeaderBytes
    const name = declaredName(bytes, payload, words[word + frameWord.length])
    const next = offsetOf(words[word + frameWord.offsetLow], words[word + frameWord.tail])
    const readable = joinWords(words[payload >>> 2], words[(payload >>> 2) + 1])
    const id = words[word + frameWord.topic]
    const topic = this.#topics.get(id)
    if (topic === undefined) {
      this.#topics.set(id, { ...this.#begin(id, name, next, readable, firstAt), isDeclared: true, lastAt: at })
      return
    }
    topic.isDeclared = true
    if (topic.name !== '' && topic.name !== name) {
      this.#findings.damage('frames', at, 0, `topic ${topic.name} is declared anew as ${name}`)
    }
    topic.name = name
    topic.readable = isRegister(name) ? readable : Math.max(topic.readable, readable)
    this.#goOn(topic, next, at)
    topic.lastAt = at
  }

  /** @param at of the record's batch, relative */
  addRecord(piece: Piece, frame: number, at: number): void {
    const { words } = piece
    const word = frame >>> 2
    const id = words[word + frameWord.topic]
    const offset = offsetOf(words[word + frameWord.offsetLow], words[word + frameWord.tail])
    let topic = this.#topics.get(id)
    if (topic === undefined) {
      topic = this.#undeclared(id, offset, at)
      this.#topics.set(id, topic)
    }
    if (offset !== topic.next) this.#goOn(topic, offset, at)
    topic.next = Math.max(topic.next, offset + 1)
    topic.lastAt = at
    topic.frameBytes += frameBytes(words[word + frameWord.length])
    const { row } = topic
    if (row !== undefined && this.#index.agrees(topic.name, row, piece, frame, at)) topic.matched += 1
  }

  /** A topic of which only the index says that it was here: what there was of it is lost. */
  addLost({ topic: id, name, firstOffset, readable }: DirectoryRow, dataEnd: number): WalkedTopic {
    const topic = this.#begin(id, name, firstOffset, readable, dataEnd)
    this.#topics.set(id, topic)
    return topic
  }

  /** In order of their numbers. */
  report(): TopicInSegment[] {
    return [...this.#topics.values()]
      .sort((a, b) => a.id - b.id)
      .map(({ id, name, isDeclared, legibleName, legibleFirst, row, first, next, readable, firstAt, goesOnAt }) => ({
        id,
        firstAt,
        name,
        isDeclared,
        legibleName,
        legibleFirst: Math.min(legibleFirst, first),
        leastFirst: isDeclared || row !== undefined ? first : Math.max(0, first - this.#findings.roomBefore(firstAt)),
        first,
        next,
        readable,
        goesOnAt: Math.max(goesOnAt, next),
      }))
  }

  /** The topic goes on at `next`; what lies between is missing, or comes a second time. */
  #goOn(topic: WalkedTopic, next: number, at: number): void {
    if (next < topic.next) {
      const what = `topic ${nameOf(topic)} goes back from offset ${topic.next} to ${next}`
      this.#findings.damage('offsets', at, 0, what)
      return
    }
    if (next > topic.next) this.#lose(topic, next, at)
    topic.next = next
  }

  #lose(topic: WalkedTopic, to: number, at: number): void {
    const lost = { topic: nameOf(topic), from: topic.next, to }
    const hole = this.#findings.holes.findLast(({ from }) => from >= topic.lastAt && from <= at)
    if (hole !== undefined) hole.lost.push(lost)
    else {
      const what = `offsets ${lost.from} to ${to - 1} of topic ${lost.topic} are missing`
      this.#findings.damage('offsets', at, 0, what)?.lost.push(lost)
    }
  }

  /** A record comes first of its topic: damage took the declaration, or there never was one. */
  #undeclared(id: number, offset: number, at: number): WalkedTopic {
    const topic = this.#begin(id, '', offset, 0, at)
    if (this.#findings.holes.length === 0) {
      this.#findings.damage('frames', at, 0, `topic ${id} is not declared before its first message`)
    }
    const { row } = topic
    if (row === undefined) return topic
    topic.name = row.name
    if (row.firstOffset < offset) topic.first = row.firstOffset
    topic.next = topic.first
    return topic
  }

  #begin(id: number, name: string, next: number, readable: number, at: number): WalkedTopic {
    const isDeclared = false
    const legibleName = undefined
    const firstAt = this.#base + at
    const place = { first: next, legibleFirst: next, next, readable, firstAt, goesOnAt: next, lastAt: 0 }
    const seen = { row: this.#index.row(id), matched: 0, frameBytes: 0, movedTime: undefined }
    return { id, name, isDeclared, legibleName, ...place, ...seen }
  }
}

/** What a segment calls a topic, whether or not it says its name. */
export function nameOf({ id, name }: Pick<TopicInSegment, 'id' | 'name'>): string {
  return name === '' ? numbered(id) : name
}

/** What a segment calls a topic that neither its batches nor its index name. */
export function numbered(id: number): string {
  return `number ${id}`
}
