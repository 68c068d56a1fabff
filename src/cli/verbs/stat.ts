import path from 'node:path'
import { type Features, noFeatures, sameFeatures } from '../../format/features.js'
import { isHiddenTopic } from '../../format/hidden-topics.js'
import { isKnownLogId, logIdText } from '../../format/log-id.js'
import { PublishedNow } from '../../local/follower/published-now.js'
import { findExtent, type LogExtent } from '../../storage/check/log-extent.js'
import { type LogSummary, summarize, type TopicSummary } from '../../storage/check/log-summary.js'
import { type GroupsReport, verifyGroups } from '../../storage/check/verify-groups.js'
import { nodeDisk } from '../../storage/files/disk.js'
import { findOwner, type LogOwner } from '../../storage/files/log-owner.js'
import { directoryArgument } from '../arguments.js'
import { exitStatus } from '../failure.js'
import { print, printJson, type Terminal, terminal } from '../terminal.js'
import { textTable } from '../text-table.js'
import { bytes, counted, time, whole } from '../units.js'
import type { Verb } from '../verb.js'

interface Options {
  all?: boolean
  quick?: boolean
  json?: boolean
}

export const stat: Verb = {
  name: 'stat',
  summary: 'topics, groups, offsets, sizes, positions, state',
  description: `Says what a log holds and in which state it is, from its indexes and the end that has none yet. Of a log that is open it
shows what its owner has published. It does not read the messages: that is what verify does.`,
  examples: `  bookend stat ./event-log
  bookend stat ./event-log --json | jq '.topics[] | {name, next}'`,

  define: (command) =>
    command
      .argument(...directoryArgument)
      .option(
        '-a, --all',
        'show the topics as well that the log keeps for itself: registers, journals, what is scheduled',
      )
      .option('-q, --quick', 'leave out the bytes of each topic, for which the index of every message is read')
      .option('--json', 'print JSON'),

  async run([given], { all = false, quick = false, json = false }: Options) {
    const directory = path.resolve(given)
    const owner = findOwner(directory)
    const isLive = owner.state !== 'none'
    // Asked of the owner, which says it at once: its control file is behind by up to a flush.
    const heard = isLive ? await PublishedNow.open(nodeDisk, directory) : undefined
    const published = heard?.position
    heard?.close()
    const extent = findExtent({ disk: nodeDisk, directory, isLive, published })
    const everything = summarize(nodeDisk, extent, !quick)
    const summary = all
      ? everything
      : { ...everything, topics: everything.topics.filter(({ name }) => !isHiddenTopic(name)) }
    const found = await verifyGroups(nodeDisk, extent)
    const groups = groupsOf(found, everything)
    const damages = [...extent.damages, ...found.damages].map(({ what }) => what)
    if (json)
      printJson({ ...asJson(extent, summary, owner), groups, groupDamages: found.damages.map(({ what }) => what) })
    else {
      const screen = terminal()
      const lines = [...stateLines(extent, summary, damages, owner, screen), '', ...topicLines(summary, screen)]
      if (groups.length > 0) lines.push('', ...groupLines(groups, screen))
      print(lines.join('\n'))
    }
    return exitStatus.ok
  },
}

function asJson(extent: LogExtent, summary: LogSummary, owner: LogOwner) {
  const { directory, files, record, created } = extent
  return {
    directory,
    id: isKnownLogId(files.id) ? files.id : null,
    owner,
    isClean: record?.isClean ?? false,
    epoch: record?.epoch ?? 0,
    segmentBytes: files.segmentBytes,
    created: created === 0 ? null : created,
    features: extent.features ?? null,
    bytes: summary.bytes,
    segments: summary.segments,
    packed: summary.packed,
    sideIndexes: summary.sides,
    positions: positionsOf(extent),
    tornBytes: summary.tornBytes,
    damages: summary.damages,
    controlDamages: extent.damages.map(({ what }) => what),
    topics: summary.topics,
  }
}

function featuresText(features: Features): string {
  return Object.entries(features)
    .filter(([, word]) => word !== 0)
    .map(([name, word]) => `${name} 0x${word.toString(16)}`)
    .join(', ')
}

function positionsOf({ files, first, published, record }: LogExtent) {
  return { trimmed: files.base(first), durable: Math.min(record?.durable ?? 0, published), published }
}

function stateLines(
  extent: LogExtent,
  summary: LogSummary,
  fileDamages: readonly string[],
  owner: LogOwner,
  { colors }: Terminal,
): string[] {
  const { record, files, directory } = extent
  const { segments, damages, tornBytes } = summary
  const { trimmed, durable, published } = positionsOf(extent)
  const rows: [string, string][] = [['state', stateText(extent, owner)]]
  rows.push(['id', logIdText(files.id)])
  if (extent.created > 0) rows.push(['created', time(extent.created)])
  if (extent.features !== undefined && !sameFeatures(extent.features, noFeatures))
    rows.push(['features', featuresText(extent.features)])
  const parts = [
    `${whole(segments.sealed)} sealed (${whole(segments.indexed)} with index)`,
    `${whole(segments.total - segments.sealed - segments.prepared)} active`,
    `${whole(segments.prepared)} prepared`,
  ]
  rows.push(['segments', `${whole(segments.total)} of ${bytes(files.segmentBytes)}: ${parts.join(', ')}`])
  const { sides, packed } = summary
  if (packed.count > 0) {
    const ratio = (packed.bytes / packed.packedBytes).toFixed(1)
    rows.push(['', `${whole(packed.count)} packed, ${ratio} times smaller: ${bytes(packed.packedBytes)}`])
  }
  if (sides.count > 0) rows.push(['', `${counted(sides.count, 'side index', 'side indexes')}, ${bytes(sides.bytes)}`])
  rows.push(['size', bytes(summary.bytes)])
  rows.push(['published', whole(published)])
  rows.push(['durable', durable === published ? `${whole(durable)} (all of it)` : whole(durable)])
  rows.push(['trimmed', trimmed === 0 ? 'nothing' : `below ${whole(trimmed)}`])
  rows.push(['opened', `${counted(record?.epoch ?? 0, 'time')} for writing`])
  if (tornBytes > 0) rows.push(['torn', `${bytes(tornBytes)} behind the end: the next owner cuts them off`])
  const found = [
    ...fileDamages,
    ...damages.map(({ from, to }) => `positions ${whole(from)} to ${whole(to)}`),
    ...(segments.missing > 0 ? [counted(segments.missing, 'missing segment')] : []),
  ]
  for (const what of found) rows.push(['damage', colors.red(what)])
  if (found.length > 0) rows.push(['', `bookend verify ${directory} reports it in full`])
  return [colors.bold(directory), ...rows.map(([name, value]) => `  ${colors.dim(name.padEnd(10))} ${value}`)]
}

function stateText({ record }: LogExtent, owner: LogOwner): string {
  if (owner.state === 'running') return `open${owner.pid === undefined ? '' : ` in process ${owner.pid}`}`
  const how = record?.isClean === true ? 'closed in order' : 'not closed in order: the next owner looks at its end'
  return owner.state === 'unknown' ? `whether it is open cannot be told (${owner.signature}); if not, ${how}` : how
}

function topicLines({ topics }: LogSummary, { colors }: Terminal): string[] {
  if (topics.length === 0) return ['no topics']
  const [head, ...rows] = textTable(
    [
      { title: 'topic' },
      { title: 'first', align: 'right' },
      { title: 'next', align: 'right' },
      { title: 'messages', align: 'right' },
      { title: 'bytes', align: 'right' },
      { title: 'segments', align: 'right' },
      { title: 'oldest' },
      { title: 'newest' },
    ],
    topics.map((topic) => [
      topic.name || `number ${topic.id}`,
      whole(topic.first),
      whole(topic.next),
      messagesText(topic),
      topic.bytes === undefined ? '' : bytes(topic.bytes),
      whole(topic.segments),
      topic.firstTime === undefined ? '' : time(topic.firstTime),
      topic.lastTime === undefined ? '' : time(topic.lastTime),
    ]),
  )
  return [colors.dim(head), ...rows]
}

/** A consumer group, as it stands in the groups file. */
interface GroupLine {
  topic: string
  group: string
  committed: number
  /** Messages that can be read and are not done. */
  lag: number
  /** Messages above it that are done as well. */
  acknowledged: number
  ranges: { from: number; to: number }[]
}

function groupsOf({ groups }: GroupsReport, { topics }: LogSummary): GroupLine[] {
  const bounds = new Map(topics.map(({ name, first, next }) => [name, { first, next }]))
  return groups
    .map(({ topic, name, state: { committed, ranges } }) => {
      const { first, next } = bounds.get(topic) ?? { first: 0, next: 0 }
      const acknowledged = ranges.reduce((sum, range) => sum + range.end - range.first, 0)
      const doneAhead = ranges.reduce((sum, range) => sum + Math.max(0, range.end - Math.max(range.first, first)), 0)
      return {
        topic,
        group: name,
        committed,
        // Of an open log the end may be known later than the group.
        lag: Math.max(0, next - Math.max(committed, first) - doneAhead),
        acknowledged,
        ranges: ranges.map((range) => ({ from: range.first, to: range.end })),
      }
    })
    .sort((a, b) => (a.topic === b.topic ? (a.group < b.group ? -1 : 1) : a.topic < b.topic ? -1 : 1))
}

function groupLines(groups: readonly GroupLine[], { colors }: Terminal): string[] {
  const [head, ...rows] = textTable(
    [
      { title: 'topic' },
      { title: 'group' },
      { title: 'committed', align: 'right' },
      { title: 'lag', align: 'right' },
      { title: 'done above' },
    ],
    groups.map(({ topic, group, committed, lag, acknowledged, ranges }) => [
      topic,
      group,
      whole(committed),
      whole(lag),
      acknowledged === 0 ? '' : `${whole(acknowledged)} in ${counted(ranges.length, 'range')}`,
    ]),
  )
  return [colors.dim(head), ...rows]
}

function messagesText({ messages, lost }: TopicSummary): string {
  return lost === 0 ? whole(messages) : `${whole(messages)} (${whole(lost)} lost)`
}
