import { BookendError } from '../../errors.js'
import { type ServedStream, servedStreams } from '../../http/served-streams.js'
import type { Log } from '../../log/log.js'
import type { Topic } from '../../log/topic.js'
import { placeArgument } from '../arguments.js'
import { exitStatus } from '../failure.js'
import { openToRead } from '../open-log.js'
import { print, printJson, terminal } from '../terminal.js'
import { textTable } from '../text-table.js'
import { time, whole } from '../units.js'
import type { Verb } from '../verb.js'
import { visible } from '../visible.js'

interface Options {
  quiet?: boolean
  json?: boolean
}

interface TopicEnds {
  name: string
  first: number
  next: number
  /** Times of the first and the last message; null: there is none, or it is damaged. */
  oldest: number | null
  newest: number | null
  /** What it is over HTTP; absent: no stream. */
  stream?: ServedStream
}

export const topics: Verb = {
  name: 'topics',
  summary: 'the topics of a log, and where they begin and end',
  description: 'Lists the topics of a log, as of now also where it is in use. stat says more, and takes longer.',
  examples: `  bookend topics ./event-log
  for topic in $(bookend topics ./event-log --quiet); do bookend tail ./event-log $topic --last 1; done`,

  define: (command) =>
    command
      .argument(...placeArgument)
      .option('-q, --quiet', 'print their names only')
      .option('--json', 'print JSON'),

  async run([given], { quiet = false, json = false }: Options) {
    await using log = await openToRead(given)
    const names = await log.topics()
    if (quiet) {
      if (names.length > 0) print(names.join('\n'))
      return exitStatus.ok
    }
    const rows = await rowsOf(log, names)
    if (json) printJson({ directory: log.directory, topics: rows })
    else print(linesOf(rows).join('\n'))
    return exitStatus.ok
  },
}

async function rowsOf(log: Log, names: readonly string[]): Promise<TopicEnds[]> {
  const rows: TopicEnds[] = []
  // The list is to be seen all the same where somebody else has a topic of that name, or it is damaged.
  const streams = await servedStreams(log, names).catch(() => new Map<string, ServedStream>())
  for (const name of names) {
    const topic = log.topic(name)
    const { first, next } = await topic.bounds()
    const isEmpty = first === next
    rows.push({
      ...{ name, first, next },
      oldest: isEmpty ? null : await timeOf(topic, first),
      newest: isEmpty ? null : await timeOf(topic, next - 1),
      ...(streams.has(name) && { stream: streams.get(name) }),
    })
  }
  return rows
}

async function timeOf(topic: Topic<Uint8Array>, offset: number): Promise<number | null> {
  try {
    return (await topic.get(offset))?.timestamp ?? null
  } catch (error) {
    // The list is to be seen all the same: verify reports the damage.
    if (error instanceof BookendError && error.code === 'BOOKEND_CORRUPT') return null
    throw error
  }
}

function linesOf(rows: readonly TopicEnds[]): string[] {
  if (rows.length === 0) return ['no topics']
  const hasStreams = rows.some(({ stream }) => stream !== undefined)
  const [head, ...lines] = textTable(
    [
      { title: 'topic' },
      { title: 'first', align: 'right' },
      { title: 'next', align: 'right' },
      { title: 'oldest' },
      { title: 'newest' },
      ...(hasStreams ? [{ title: 'stream' }] : []),
    ],
    rows.map(({ name, first, next, oldest, newest, stream }) => [
      name,
      whole(first),
      whole(next),
      oldest === null ? '' : time(oldest),
      newest === null ? '' : time(newest),
      ...(hasStreams ? [stream === undefined ? '' : streamText(stream)] : []),
    ]),
  )
  return [terminal().colors.dim(head), ...lines]
}

function streamText({ contentType, closed, deleted, ttlSeconds, expiresAt, source }: ServedStream): string {
  const said = [
    ...[visible(contentType), closed && 'closed', deleted && 'deleted, kept for its forks'],
    ...[ttlSeconds !== undefined && `${ttlSeconds} s unused`, expiresAt !== undefined && `until ${expiresAt}`],
    source !== undefined && `fork of ${source}`,
  ]
  return said.filter((each) => each !== false).join(', ')
}
