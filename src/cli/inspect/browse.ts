/** Finding messages of a topic: a page of them at a time, whatever is looked for, however long the topic is. */
import type { Topic } from '../../log/topic.js'
import type { Message } from '../../messages/message.js'
import { escapedBytes } from '../escape.js'
import { parsePlace, type TopicPlace } from '../place.js'
import { searcher } from '../search.js'
import { matcherOf } from '../selection.js'
import { BadRequest } from './answers.js'
import type { MessagePage, MessageRow, WholeMessage } from './api.js'

/** What a list shows of a value, and of a key. */
const shownBytes = 400
/** What a message shows of it: more than anybody reads, less than hurts a browser. */
const wholeBytes = 1 << 20
const maxRows = 200
/** Looked at for one page: what takes longer is asked for again from there, so that the page can say how far it is. */
const searchedAtOnce = 200_000

export interface Query {
  from: TopicPlace
  limit: number
  matches: (message: Message) => boolean
}

/** @throws BadRequest, saying what a parameter may be */
export function queryOf(parameters: URLSearchParams): Query {
  const limit = Number(parameters.get('limit') ?? 50)
  if (!Number.isInteger(limit) || limit < 1 || limit > maxRows)
    throw new BadRequest(400, `limit is from 1 to ${maxRows}`)
  const text = parameters.get('text') ?? ''
  const key = parameters.get('key') ?? ''
  const headers = parameters.getAll('header')
  const where = new Map(headers.map((header) => headerOf(header)))
  const selects = matcherOf({ key: key === '' ? undefined : key, where: where.size === 0 ? undefined : where })
  const finds = text === '' ? () => true : searcher(text, { fixedStrings: true, ignoreCase: true })
  return {
    from: placeOf(parameters.get('from') ?? 'first'),
    limit,
    matches: (message) => selects(message) && finds(message),
  }
}

function headerOf(text: string): [string, ReadonlySet<string>] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new BadRequest(400, `a header is name=value, not ${text}`)
  return [text.slice(0, equals), new Set([text.slice(equals + 1)])]
}

export function placeOf(text: string): TopicPlace {
  try {
    return parsePlace(text)
  } catch (error) {
    throw new BadRequest(400, (error as Error).message)
  }
}

/** Messages from a place on, in order. */
export async function pageOf(topic: Topic<Uint8Array>, query: Query, signal: AbortSignal): Promise<MessagePage> {
  const { first, next } = await topic.bounds()
  const messages: MessageRow[] = []
  let searched = 0
  // As of now: what is appended meanwhile is for the next page.
  const from = typeof query.from === 'number' ? Math.min(next, Math.max(first, query.from)) : query.from
  for await (const batch of topic.read({ from, to: next, signal }).batches()) {
    for (const message of batch) {
      searched += 1
      if (query.matches(message)) messages.push(rowOf(message))
      if (messages.length === query.limit || searched === searchedAtOnce) {
        const goOnAt = message.offset + 1
        return { first, next, messages, searched, ...(goOnAt < next ? { goOnAt } : {}) }
      }
    }
  }
  return { first, next, messages, searched }
}

/** @returns undefined: there is none at that offset */
export async function wholeMessage(topic: Topic<Uint8Array>, offset: number): Promise<WholeMessage | undefined> {
  const message = await topic.get(offset)
  if (message === undefined) return undefined
  const shown = message.value.subarray(0, wholeBytes)
  const row = { topic: topic.name, ...rowOf(message), isCut: shown.length < message.value.length }
  const text = utf8(shown, row.isCut)
  if (text !== undefined) return { ...row, value: text }
  return { ...row, value: Buffer.from(shown).toString('base64'), encoding: 'base64' }
}

function rowOf({ offset, timestamp, key, headers, value }: Message): MessageRow {
  return {
    offset,
    timestamp,
    ...(key === undefined ? {} : { key: escapedBytes(key.subarray(0, shownBytes)) }),
    ...(headers === undefined ? {} : { headers }),
    value: escapedBytes(untilWhole(value, shownBytes)),
    valueBytes: value.length,
    isCut: value.length > shownBytes,
  }
}

/** At most so many bytes, and no half of a character at the end. */
function untilWhole(bytes: Uint8Array, limit: number): Uint8Array {
  if (bytes.length <= limit) return bytes
  let end = limit
  while (end > limit - 4 && (bytes[end] & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end)
}

function utf8(bytes: Uint8Array, isCut: boolean): string | undefined {
  try {
    // The end of what is cut may be half a character: as of a stream, that is no mistake.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut })
  } catch {
    return undefined
  }
}
