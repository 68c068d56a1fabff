/** Which messages of a topic a verb is about: `--from --to --key --where`, the same for all of them, and `--last`. */
import { type Command, Option } from 'commander'
import type { Where } from '../log/finding/where.js'
import type { Topic } from '../log/topic.js'
import type { Message } from '../messages/message.js'
import { count, nameAndValue } from './arguments.js'
import { parseOffsetOrTime, parsePlace, placeHelp, type TopicPlace } from './place.js'

export interface Selection {
  from?: TopicPlace
  /** End, exclusive. */
  to?: number | Date
  /** Only the last ones of what all the others select. */
  last?: number
  key?: string
  /** Of each header named, one of the values. */
  where?: ReadonlyMap<string, ReadonlySet<string>>
  follow?: boolean
}

export function withSelection(command: Command): Command {
  return withKeyAndHeaders(
    command
      .option('--from <place>', `where to begin: ${placeHelp}`, parsePlace)
      .option('--to <place>', 'where to end: an offset, itself not included, or a time', parseOffsetOrTime),
  )
}

export function withKeyAndHeaders(command: Command): Command {
  return command
    .option('--key <key>', 'messages with this key only')
    .option(
      '--where <name=value>',
      'messages with this header only; of one name any of its values, of several names all',
      addWhere,
    )
}

export function withLast(command: Command, unlessSaid: number): Command {
  const last = new Option('-n, --last <count>', `the last messages of these only; ${unlessSaid} without --from`)
  return command.addOption(last.argParser(count).conflicts('from'))
}

function addWhere(text: string, before: ReadonlyMap<string, ReadonlySet<string>> = new Map()) {
  const [name, value] = nameAndValue(text)
  return new Map(before).set(name, new Set([...(before.get(name) ?? []), value]))
}

/** Offsets that are looked through at once when the last messages that match are sought. */
const windowOffsets = 20_000

/**
 * Messages in order, in the batches in which they are read; a batch in which nothing matches is not handed out.
 * @param onRead told how many messages were looked at, after each batch
 */
export async function* selected(
  topic: Topic<Uint8Array>,
  selection: Selection,
  signal: AbortSignal,
  onRead?: (count: number) => void,
): AsyncGenerator<Message[]> {
  const { to, follow = false, key } = selection
  const matches = matcherOf({ key })
  const where = whereOf(selection)
  const from = await start(topic, selection, matches, signal)
  const end = typeof to === 'number' ? atLeast(to, from) : to
  for await (const batch of topic.read({ from, to: end, follow, where, signal }).batches()) {
    const found = batch.filter(matches)
    if (found.length > 0) yield found
    onRead?.(batch.length)
  }
}

/** How many messages {@link selected} will look at in these topics, as of now. */
export async function countToRead(
  topics: readonly Topic<Uint8Array>[],
  { from = 'first', to = 'next' }: { from?: TopicPlace; to?: TopicPlace },
): Promise<number> {
  let total = 0
  for (const topic of topics) {
    const bounds = await topic.bounds()
    const offsetOf = async (place: TopicPlace) => {
      const offset =
        place instanceof Date ? await topic.offsetAt(place) : typeof place === 'number' ? place : bounds[place]
      return Math.min(Math.max(bounds.first, offset), bounds.next)
    }
    total += Math.max(0, (await offsetOf(to)) - (await offsetOf(from)))
  }
  return total
}

/** Nothing, where the end stands before the beginning. */
function atLeast(to: number, from: TopicPlace): number {
  return typeof from === 'number' ? Math.max(to, from) : to
}

/** As it is said to the log. */
function whereOf({ where }: Pick<Selection, 'where'>): Where | undefined {
  return where && Object.fromEntries([...where].map(([name, values]) => [name, [...values]]))
}

/** Whether a message is one of those that `--key` and `--where` select. */
export function matcherOf({
  key,
  where,
}: Pick<Selection, 'key' | 'where'>): (message: Pick<Message, 'key' | 'headers'>) => boolean {
  const keyBytes = key === undefined ? undefined : Buffer.from(key)
  const headersOf = [...(where ?? [])]
  return (message) => {
    if (keyBytes !== undefined && (message.key === undefined || !keyBytes.equals(message.key))) return false
    if (headersOf.length === 0) return true
    const headers = message.headers ?? {}
    return headersOf.every(([name, values]) => Object.hasOwn(headers, name) && values.has(headers[name]))
  }
}

async function start(
  topic: Topic<Uint8Array>,
  { from = 'first', to, last, key, where }: Selection,
  matches: (message: Message) => boolean,
  signal: AbortSignal,
): Promise<TopicPlace> {
  if (last === undefined) return from
  const { first, next } = await topic.bounds()
  const wanted = to instanceof Date ? await topic.offsetAt(to) : (to ?? next)
  const end = Math.max(first, Math.min(next, wanted))
  if (last === 0) return end
  if (key === undefined && where === undefined) return Math.max(first, end - last)
  // From the end back, so that the last ones of a long topic are soon found.
  let missing = last
  for (let upper = end; upper > first; ) {
    const lower = Math.max(first, upper - windowOffsets)
    const found: number[] = []
    for await (const batch of topic.read({ from: lower, to: upper, where: whereOf({ where }), signal }).batches())
      for (const message of batch) if (matches(message)) found.push(message.offset)
    if (found.length >= missing) return found[found.length - missing]
    missing -= found.length
    upper = lower
  }
  return first
}
