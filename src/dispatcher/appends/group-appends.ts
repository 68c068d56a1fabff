/** Messages that are written all at one moment or not at all: into the ring at once, or in their turn, and to whoever awaits them. */
import type { Durability } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import { groupCost, groupFitsSegment } from '../../format/segment-layout.js'
import type { TopicHandle } from '../topic-directory.js'
import type { Acknowledgements } from './acknowledgements.js'
import { type Answer, newAnswer } from './answer.js'
import type { FrameIntake, WrittenGroup } from './frame-intake.js'
import type { GroupFrames } from './group-frames.js'
import type { GroupOutcome } from './group-outcome.js'
import type { WithheldTopics } from './withheld-topics.js'

export interface GroupAppendsParts {
  readonly intake: FrameIntake
  readonly withheld: WithheldTopics
  readonly acknowledgements: Acknowledgements
  readonly segmentBytes: number
  /** Before something that is awaited is written. @throws what refuses it */
  begin(level: Durability): void
  /** Ring position behind everything that was written. */
  tail(): number
}

export class GroupAppends {
  readonly #parts: GroupAppendsParts

  constructor(parts: GroupAppendsParts) {
    this.#parts = parts
  }

  /** @param outcome undefined: the answer is the offset of the first message, and nobody else is told */
  append<T>(given: GroupFrames, level: Durability, outcome: GroupOutcome<T> | undefined): Promise<T> {
    const { intake, withheld } = this.#parts
    const answer = newAnswer<T>()
    let group = given
    try {
      // What strings really come to is known when they are encoded.
      if (group.hasText && !(this.#fitsSegment(group) && intake.fitsRing(group.bytes))) group = group.copied(true)
      if (!this.#fitsSegment(group)) throw this.#tooLarge(group)
      this.#parts.begin(level)
      for (const { topic, conditions } of group.shares)
        for (const { id } of conditions) if (id !== undefined) withheld.need(topic, id)
      const topic = firstWithheld(group)
      const written = intake.heldCount > 0 || topic !== undefined ? undefined : intake.writeGroup(group)
      if (written !== undefined) this.#await(written, level, answer, outcome)
      else this.#appendLater(group === given ? group.copied(false) : group, topic, level, answer, outcome)
    } catch (error) {
      outcome?.refused()
      answer.reject(error)
    }
    return answer.promise
  }

  #fitsSegment({ bytes, records, topics }: GroupFrames): boolean {
    return groupFitsSegment(this.#parts.segmentBytes, bytes, records, topics)
  }

  /** Each topic, and each register, may have to be declared anew: with many of them that is the most of it. */
  #tooLarge({ bytes, records, topics, registers }: GroupFrames): BookendError {
    const { segmentBytes } = this.#parts
    const set = registers.length === 0 ? '' : ` and ${registers.length} registers`
    const most = groupCost(bytes, records, topics)
    const message = `${records} messages${set} may take ${most} bytes, which is more than one segment of ${segmentBytes} bytes holds, so they cannot be written all or nothing: write them in parts`
    return new BookendError('BOOKEND_TOO_LARGE', message)
  }

  /** @param topic of those that are withheld */
  #appendLater<T>(
    group: GroupFrames,
    topic: TopicHandle | undefined,
    level: Durability,
    answer: Answer<T>,
    outcome: GroupOutcome<T> | undefined,
  ): void {
    const { intake, withheld } = this.#parts
    const reject = (error: unknown) => {
      outcome?.refused()
      answer.reject(error)
    }
    const write = () => {
      // Its other topics may wait for longer than the one that it stood in line with.
      const still = firstWithheld(group)
      if (still !== undefined) {
        withheld.hold(still, { write, reject })
        return true
      }
      if (level === 'disk') intake.wantFlush()
      try {
        const written = intake.writeGroup(group)
        if (written === undefined) return false
        this.#await(written, level, answer, outcome)
      } catch (error) {
        // Its own affair, as if it had been written at once: those behind it go on.
        reject(error)
      }
      return true
    }
    if (topic !== undefined) withheld.hold(topic, { write, reject })
    else intake.hold(write, reject)
  }

  #await<T>(written: WrittenGroup, level: Durability, answer: Answer<T>, outcome: GroupOutcome<T> | undefined): void {
    const { acknowledgements, tail } = this.#parts
    if (outcome !== undefined) acknowledgements.addGroup(tail(), written, level, answer, outcome)
    else acknowledgements.add(tail(), written.at, level, answer.resolve as (first: unknown) => void, answer.reject)
  }
}

function firstWithheld({ shares }: GroupFrames): TopicHandle | undefined {
  return shares.find(({ topic }) => topic.isWithheld)?.topic
}
