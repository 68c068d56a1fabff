/**
 * An atomic group on its way into the ring: messages of one topic or several, numbers of registers, and the conditions under which all of it is
 * written. Frames of one topic stand together, in the order in which they were given; the topics in the order of their first.
 */
import type { Extras, Payload } from '../../engine/terms.js'
import { assert } from '../../errors.js'
import { type FeatureSet, featureSet, noFeature } from '../../format/features.js'
import {
  declarePayloadLength,
  type FrameMemory,
  payloadRoom,
  writeDeclareFrame,
  writeFrame,
} from '../../format/frame-encoder.js'
import { frameBytes, frameFlag } from '../../format/frame-layout.js'
import { type Guard, guardBytes, writeGuardFrame } from '../../format/guard-layout.js'
import { statedBy, topicFeatures } from '../../format/hidden-topics.js'
import { copyOf, copyOfExtras } from '../../messages/own-copies.js'
import type { TopicHandle } from '../topic-directory.js'

/** Messages of one topic, with the conditions of some. */
export interface TopicMessages {
  readonly topic: TopicHandle
  readonly values: readonly Payload[]
  /** Of each; empty where none has any. */
  readonly extras: readonly (Extras | undefined)[]
  readonly conditions: readonly Guard[]
}

/** A register is set, if it is below a number where one is given. */
export interface RegisterShare {
  readonly topic: TopicHandle
  readonly value: number
  readonly below: number | undefined
}

/** Tells where a topic's messages stand, and asks for nothing. */
const firstOfTopic: Guard = { isIdNew: true }
const noRegisters: readonly RegisterShare[] = []

export class GroupFrames {
  readonly shares: readonly TopicMessages[]
  readonly registers: readonly RegisterShare[]
  /** Of each message, as they were given, its place among all; undefined: they stand in that order. */
  readonly places: readonly number[] | undefined
  /** Of the guards. */
  readonly guardBytes: number
  /** Of the frames, or the most that they can be. */
  readonly bytes: number
  readonly records: number
  /** What the log has to say that it holds before this is written. */
  readonly features: FeatureSet
  /** A value is a string: what it comes to is known when it is encoded. */
  readonly hasText: boolean

  constructor(
    shares: readonly TopicMessages[],
    registers: readonly RegisterShare[] = noRegisters,
    places?: readonly number[],
  ) {
    this.shares = shares
    this.registers = registers
    this.places = places
    let guards = 0
    let bytes = 0
    let records = 0
    let hasText = false
    let features = registers.length > 0 ? featureSet('transactions') : noFeature
    let expires = false
    for (const { topic, values, extras, conditions } of shares) {
      features |= topicFeatures(topic.name)
      records += values.length
      for (const condition of conditions) guards += guardBytes(condition)
      const isPlain = extras.length === 0
      for (let index = 0; index < values.length; index++) {
        const its = isPlain ? undefined : extras[index]
        bytes += frameBytes(payloadRoom(values[index], its))
        hasText ||= typeof values[index] === 'string'
        expires ||= its?.expiresAt !== undefined
      }
    }
    for (const { topic, below } of registers) {
      if (below !== undefined) guards += guardBytes({})
      bytes += frameBytes(declarePayloadLength(topic.name))
    }
    this.guardBytes = guards
    this.bytes = bytes
    this.records = records
    this.hasText = hasText
    this.features = features | (expires ? featureSet('expiry') : noFeature)
  }

  /** How many topics it is of. */
  get topics(): number {
    return this.shares.length + this.registers.length
  }

  /** The same, of values that nobody changes any more. @param isEncoded strings as bytes */
  copied(isEncoded: boolean): GroupFrames {
    const shares = this.shares.map(({ values, extras, ...share }) => ({
      ...share,
      values: values.map((value) => copyOf(value, isEncoded)),
      extras: extras.map(copyOfExtras),
    }))
    return new GroupFrames(shares, this.registers, this.places)
  }

  /** The same, where frames that go past the ring cannot say their offsets: the first guard of each topic tells where its messages stand. */
  telling(): GroupFrames {
    const shares = this.shares.map((share) => {
      const [first] = share.conditions
      const tells = first !== undefined && (first.ahead ?? 0) === 0
      return tells ? share : { ...share, conditions: [firstOfTopic, ...share.conditions] }
    })
    return new GroupFrames(shares, this.registers, this.places)
  }

  /** One behind the other: those of conditions in the order in which they were given, then those of registers. @returns how many */
  writeGuards({ bytes, words }: FrameMemory, at: number, flags: number): number {
    let next = at
    let count = 0
    for (const { topic, conditions } of this.shares)
      for (const condition of conditions) {
        assert(condition.expectedVersion === undefined, 'the version of a key is looked up before the ring')
        writeGuardFrame(bytes, words, next, topic.id, condition, flags)
        next += guardBytes(condition)
        count += 1
      }
    for (const { topic, below } of this.registers)
      if (below !== undefined) {
        writeGuardFrame(bytes, words, next, topic.id, { below }, flags)
        next += guardBytes({})
        count += 1
      }
    return count
  }

  /** @returns where they end */
  writeFrames(memory: FrameMemory, at: number, flags: number): number {
    let next = at
    let left = this.records + this.registers.length
    for (const { topic, values, extras } of this.shares) {
      const isPlain = extras.length === 0
      for (let index = 0; index < values.length; index++) {
        left -= 1
        const its = isPlain ? undefined : extras[index]
        next += writeFrame(memory, next, topic.id, values[index], its, continued(flags, left))
      }
    }
    for (const { topic, value } of this.registers) {
      left -= 1
      const { bytes, words } = memory
      writeDeclareFrame(bytes, words, next, topic.id, topic.name, statedBy(value), continued(flags, left))
      next += frameBytes(declarePayloadLength(topic.name))
    }
    return next
  }
}

/** @param left so many frames of the group come behind this one */
function continued(flags: number, left: number): number {
  return left > 0 ? flags | frameFlag.continues : flags
}
