import pc from 'picocolors'
import type { TopicCounts } from './count-words.js'
import type { Difference } from './difference.js'
import type { JobReport } from './job.js'
import { fixed, megabytes, plural, whole } from './numbers.js'
import { type Column, clipEnd, clipStart, layOut } from './text-table.js'
import type { WordCount } from './top-words.js'
import { isReleased } from './ttl-wait.js'

const INDENT = '  '
const TOPIC_WIDTH = 44
const WORD_WIDTH = 20
const SHOWN_DIFFERENCES = 5
const UNKNOWN = 'n/a'

/**
 * Everything that makes the run a failure: what was read back or scanned is not what went in.
 */
export function differencesOf({ count, readBack }: JobReport): Difference[] {
  return [...readBack.differences, ...count.differences]
}

/**
 * The summary a person reads.
 *
 * @param report of a finished job
 * @param topicCount how many topics to list, the biggest first
 */
export function renderSummary(report: JobReport, topicCount: number): string {
  const blocks = [
    inputLines(report),
    phaseLines(report),
    topicLines(report, topicCount),
    verdictLines(report),
    memoryLines(report),
  ]
  return `${blocks.map((lines) => lines.map((line) => (line === '' ? '' : INDENT + line)).join('\n')).join('\n\n')}\n`
}

function inputLines({ found, directory, isRemoved, readers, ingest, ttl }: JobReport): string[] {
  const left: string[] = []
  if (found.beyondLimitCount > 0) left.push(`${plural(found.beyondLimitCount, 'file')} beyond the limits`)
  if (found.binaryCount > 0) left.push(`${plural(found.binaryCount, 'binary file')}`)
  const { segments } = ttl.after
  return [
    field('input', `${plural(found.sources.length, 'source')}, ${megabytes(ingest.bytes)} MB`),
    ...(left.length > 0 ? [field('left out', left.join(', '))] : []),
    field('log', isRemoved ? `${directory} ${pc.dim('(removed; --keep keeps it)')}` : directory),
    field('threads', plural(readers, 'reader')),
    field('segments', segments === undefined ? UNKNOWN : whole(segments)),
  ]
}

function phaseLines({ ingest, count, readBack }: JobReport): string[] {
  const columns = ['', 'messages', 'MB', 'seconds', 'M messages/s', 'MB/s'].map(
    (title, index): Column => ({ title, align: index === 0 ? 'left' : 'right' }),
  )
  const row = (name: string, work: { messages: number; bytes: number }, elapsedMs: number): string[] => [
    name,
    whole(work.messages),
    megabytes(work.bytes),
    fixed(elapsedMs / 1000, 3),
    perSecond(work.messages / 1e6, elapsedMs, 2),
    perSecond(work.bytes / 1e6, elapsedMs, 0),
  ]
  return heading(
    layOut(columns, [
      row('ingest', ingest, ingest.elapsedMs),
      row('  of it appending', ingest, ingest.appendMs),
      row('count words', count, count.elapsedMs),
      row('read back, hash', readBack, readBack.elapsedMs),
    ]),
  )
}

function topicLines({ count }: JobReport, topicCount: number): string[] {
  const biggest = [...count.topics].sort((a, b) => b.bytes - a.bytes).slice(0, topicCount)
  const title = biggest.length < count.topics.length ? `biggest of ${plural(count.topics.length, 'topic')}` : 'topic'
  const columns: Column[] = [
    { title, align: 'left' },
    { title: 'messages', align: 'right' },
    { title: 'MB', align: 'right' },
    { title: 'words', align: 'right' },
    { title: 'most frequent', align: 'left' },
  ]
  const row = (name: string, counts: Omit<TopicCounts, 'topicName'>): string[] => [
    name,
    whole(counts.messages),
    megabytes(counts.bytes),
    whole(counts.words),
    counts.top.map(frequency).join('  '),
  ]
  const rows = biggest.map((counts) => row(clipStart(counts.topicName, TOPIC_WIDTH), counts))
  if (count.topics.length > 1) rows.push(row('all topics', count))
  return heading(layOut(columns, rows))
}

function verdictLines(report: JobReport): string[] {
  const differences = differencesOf(report)
  if (differences.length === 0) {
    const verdict = `${plural(report.readBack.messages, 'message')} read back equal the input byte for byte`
    return [`${pc.green('ok')}  ${verdict} ${pc.dim('(SHA-256 of each source)')}`]
  }
  const shown = differences.slice(0, SHOWN_DIFFERENCES)
  const more = differences.length - shown.length
  return [
    `${pc.red('not equal')}  ${plural(differences.length, 'difference')} between the input and the log`,
    ...shown.map(({ topicName, source, reason }) => `${topicName} (${source}): ${reason}`),
    ...(more > 0 ? [`and ${whole(more)} more`] : []),
  ]
}

function memoryLines({ ttl }: JobReport): string[] {
  const { before, after, ttlMs, waitedMs } = ttl
  const columns: Column[] = [
    { title: '', align: 'left' },
    { title: 'before', align: 'right' },
    { title: `after ${whole(waitedMs)} ms idle`, align: 'right' },
  ]
  const row = (name: string, from: number | undefined, to: number | undefined, show: (value: number) => string) => [
    name,
    from === undefined ? UNKNOWN : show(from),
    to === undefined ? UNKNOWN : show(to),
  ]
  const lines = heading(
    layOut(columns, [
      row('mapped segments', before.mappedSegments, after.mappedSegments, whole),
      row('mapped MB', before.mappedBytes, after.mappedBytes, megabytes),
      row('  resident MB of it', before.mappedResidentBytes, after.mappedResidentBytes, megabytes),
      row('process resident MB', before.residentBytes, after.residentBytes, megabytes),
    ]),
  )
  const ttlNote = `mappings idle for ${whole(ttlMs)} ms`
  if (isReleased(ttl) === true) {
    const released = megabytes(before.mappedBytes! - after.mappedBytes!)
    lines.push('', `${pc.green('ok')}  ${ttlNote} went away: ${released} MB unmapped`)
  } else if (isReleased(ttl) === false) {
    lines.push('', `${pc.yellow('note')}  no ${ttlNote} went away`)
  }
  return lines
}

function heading([titles, ...rows]: string[]): string[] {
  return [pc.dim(titles), ...rows]
}

function field(name: string, value: string): string {
  return `${pc.dim(name.padEnd(10))}${value}`
}

function frequency({ word, count }: WordCount): string {
  return `${clipEnd(word, WORD_WIDTH)} ${pc.dim(whole(count))}`
}

function perSecond(amount: number, elapsedMs: number, decimals: number): string {
  return elapsedMs > 0 ? fixed((amount * 1000) / elapsedMs, decimals) : UNKNOWN
}
