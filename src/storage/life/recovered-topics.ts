/** The topics of a log while it is opened, merged from what each segment says of them. */
import type { BookendError } from '../../errors.js'
import { isRegister } from '../../format/hidden-topics.js'
import type { TopicState } from '../append/topic-state.js'
import { misnamedError } from '../files/belonging.js'
import type { SalvageWindow } from '../files/salvage-window.js'
import type { SegmentFiles } from '../files/segment-files.js'
import { legibleFrames, nameForLost } from '../index/legible-frames.js'
import type { DamagedRange, LiveIndex } from '../index/live-index.js'

/** What a segment holds of a topic: a row of its directory, or of an index that was derived from its batches. */
interface TopicRow {
  topic: number
  name: string
  firstOffset: number
  count: number
  readable: number
}

export class RecoveredTopics {
  readonly #files: SegmentFiles
  readonly #damages: readonly DamagedRange[]
  readonly #topics = new Map<number, TopicState>()
  /** Oldest offset found of each topic whose older segments, if there were any, have been deleted as a whole. */
  readonly #oldest = new Map<number, number>()
  readonly #legibleNames = new Map<number, string>()
  #misnamed: BookendError | undefined

  /** @param damages those in front of the segment that is added next, of the whole log */
  constructor(files: SegmentFiles, damages: readonly DamagedRange[]) {
    this.#files = files
    this.#damages = damages
  }

  /** The segments contradict each other about the name of a topic. */
  get misnamed(): BookendError | undefined {
    return this.#misnamed
  }

  /** In the order of segments. */
  add(segment: number, rows: Iterable<TopicRow>): void {
    for (const row of rows) this.#add(segment, row)
  }

  #add(segment: number, { topic: id, name, firstOffset, count, readable }: TopicRow): void {
    const known = this.#topics.get(id)
    const next = firstOffset + count
    // Behind damage nobody knows what was deleted and what is lost.
    if (known === undefined && this.#damages.length === 0) this.#oldest.set(id, firstOffset)
    else if (firstOffset < (this.#oldest.get(id) ?? 0)) this.#oldest.set(id, firstOffset)
    if (known === undefined) {
      this.#topics.set(id, { id, name, next, first: readable, declaredIn: segment })
      return
    }
    if (known.name === '') known.name = name
    else if (name !== '' && name !== known.name) {
      this.#misnamed ??= misnamedError(this.#files.path(segment), id, name, known.name)
    }
    known.next = Math.max(known.next, next)
    known.first = isRegister(known.name) ? readable : Math.max(known.first, readable)
    // Where the declaration itself was lost to damage, the one before it is still the last.
    if (name !== '') known.declaredIn = segment
  }

  /** What looks like declarations in the damage of a segment, for its topics that have no name. */
  lookForNames(window: SalvageWindow, index: LiveIndex): void {
    const isNameless = [...index.topics.values()].some(
      ({ name, topic }) => (this.#topics.get(topic)?.name || name) === '',
    )
    if (!isNameless) return
    for (const { from, to } of index.damages) {
      for (const { topic, name } of legibleFrames((at, length) => window.read(at, length), from, to)) {
        if (name !== undefined) this.#legibleNames.set(topic, name)
      }
    }
  }

  /** All of them, by number, when every segment has been added. */
  finish(): TopicState[] {
    const topics = [...this.#topics.values()]
    const taken = new Set(topics.map(({ name }) => name))
    for (const topic of topics) {
      // A topic whose every declaration is lost gets a name to be read by.
      if (topic.name === '') topic.name = nameForLost(topic.id, this.#legibleNames.get(topic.id), taken)
      taken.add(topic.name)
      if (isRegister(topic.name)) continue
      // Retention deletes whole segments and declares nothing: what it has taken is told by what is left.
      topic.first = Math.min(topic.next, Math.max(topic.first, this.#oldest.get(topic.id) ?? 0))
    }
    return topics.sort((a, b) => a.id - b.id)
  }
}
