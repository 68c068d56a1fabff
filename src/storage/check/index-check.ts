/** What the index of a segment says beyond the frames: of damage, what it took; of a whole segment, that the index is wrong. */
import { type DirectoryRow, entryBytes, type SegmentFooter } from '../../format/segment-layout.js'
import type { SegmentFindings } from './segment-findings.js'
import type { StoredIndex } from './stored-index.js'
import { nameOf, type WalkedTopic, type WalkedTopics } from './walked-topics.js'

/** Behind the walk, which holds each entry against its message. */
export function checkIndex(index: StoredIndex, findings: SegmentFindings, topics: WalkedTopics): void {
  const { footer, rows } = index
  if (footer === undefined) return
  const isWhole = findings.report.ranges.length === 0
  let matched = 0
  for (const row of rows) {
    if (!isWhole) tellLost(row, footer.dataEnd, index, findings, topics)
    const topic = topics.get(row.topic)
    if (topic === undefined || !isRowRight(row, topic, isWhole)) {
      index.wrong ??= { topic: row.name, offset: row.firstOffset, at: footer.directoryAt }
    }
    matched += topic?.matched ?? 0
  }
  for (const topic of topics.values()) {
    if (topic.row === undefined) index.wrong ??= { topic: nameOf(topic), offset: topic.first, at: footer.directoryAt }
  }
  if (!findings.has('index')) noteWrong(index, footer, findings, matched)
}

/** Of a segment with damage: which messages of the topic the damage took. */
function tellLost(
  row: DirectoryRow,
  dataEnd: number,
  index: StoredIndex,
  { holes }: SegmentFindings,
  topics: WalkedTopics,
): void {
  const rowEnd = row.firstOffset + row.count
  const topic = topics.get(row.topic) ?? topics.addLost(row, dataEnd)
  topic.readable = Math.max(topic.readable, row.readable)
  topic.goesOnAt = Math.max(topic.next, rowEnd)
  if (rowEnd <= topic.next) return
  // The hole that took the record whose index entry this is.
  const batch = index.batchOf(row, topic.next)
  const hole = holes.find(({ from, to }) => from <= batch && batch < to) ?? holes.at(-1)
  hole?.lost.push({ topic: nameOf(topic), from: topic.next, to: rowEnd })
}

function isRowRight(row: DirectoryRow, topic: WalkedTopic, isWhole: boolean): boolean {
  return (
    topic.name === row.name &&
    topic.first === row.firstOffset &&
    topic.readable === row.readable &&
    ((topic.next === row.firstOffset + row.count && topic.frameBytes === row.frameBytes) || !isWhole)
  )
}

function noteWrong(index: StoredIndex, footer: SegmentFooter, findings: SegmentFindings, matched: number): void {
  const { ranges, end, firstTime, lastTime } = findings.report
  if (index.wrong !== undefined) {
    const { topic, offset, at } = index.wrong
    const what = `the index disagrees with the messages, first at offset ${offset} of topic ${topic}`
    findings.damage('index', at, entryBytes, what)
    return
  }
  if (ranges.length > 0) return
  const { used } = index
  const isRight =
    used === matched && footer.dataEnd === end && footer.firstTime === firstTime && footer.lastTime === lastTime
  if (isRight) return
  findings.damage('index', footer.entriesAt, used * entryBytes, 'the index disagrees with the messages')
}
