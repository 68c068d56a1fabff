/**
 * Which offsets damage took where nothing states it: behind it a topic has nothing, or in front of it not even its declaration. What is
 * legible does, so that they are not given out a second time, and are known to be lost: a whole batch header, and frames that name
 * the topic with an offset that can come next in it, or can have come before its first.
 */
import { batchHeaderBytes, readBatchHeader } from '../../format/batch-layout.js'
import { frameHeaderBytes } from '../../format/frame-layout.js'
import type { SalvageWindow } from '../files/salvage-window.js'
import { legibleFrames } from '../index/legible-frames.js'
import type { SegmentFindings } from './segment-findings.js'
import { nameOf, type WalkedTopic, type WalkedTopics } from './walked-topics.js'

export function guessLost(window: SalvageWindow, base: number, findings: SegmentFindings, topics: WalkedTopics): void {
  const guessed = new Map<number, number>()
  for (const { from, to } of findings.report.ranges) {
    const isEnded = ({ row, lastAt }: WalkedTopic) => row === undefined && lastAt <= from
    const isBegun = ({ isDeclared, row, firstAt }: WalkedTopic) =>
      !isDeclared && row === undefined && firstAt - base > from
    const head = window.read(from, Math.min(batchHeaderBytes, to - from))
    const header = readBatchHeader(head, 0, base + from, to - from)
    const only = header === undefined ? undefined : topics.get(header.topic)
    if (only !== undefined && isEnded(only)) only.goesOnAt = Math.max(only.goesOnAt, only.next + (header?.count ?? 0))
    const most = (to - from) / frameHeaderBytes
    for (const { topic: id, offset, name } of legibleFrames((at, length) => window.read(at, length), from, to)) {
      const topic = topics.get(id)
      if (topic === undefined) continue
      if (isBegun(topic)) {
        topic.legibleName ??= name
        const mayBePart = name === undefined && offset < topic.legibleFirst && offset >= topic.first - most
        if (mayBePart) topic.legibleFirst = offset
      }
      const mayComeNext = name === undefined && offset >= topic.next && offset < topic.next + most
      if (mayComeNext && isEnded(topic)) topic.goesOnAt = Math.max(topic.goesOnAt, offset + 1)
    }
    const hole = findings.holes.find((place) => place.from === from)
    for (const topic of topics.values()) {
      const known = Math.max(topic.next, guessed.get(topic.id) ?? 0)
      if (!isEnded(topic) || topic.goesOnAt <= known) continue
      hole?.lost.push({ topic: nameOf(topic), from: known, to: topic.goesOnAt })
      guessed.set(topic.id, topic.goesOnAt)
    }
  }
}
