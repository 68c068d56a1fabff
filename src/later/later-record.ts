/**
 * How a scheduled message stands in `.later`: its own key and value, and its own headers with some that say where it goes and when. A cancellation has no
 * value, and the headers of what it cancels.
 */
import type {
  Condition,
  Extras,
  MessageId,
  PendingMessage,
  PlannedMessage,
  Repeat,
  RepeatRule,
} from '../engine/terms.js'
import { defaultIdWindowMs, defaultMaxIds, expiresHeader, idHeader, laterHeaderPrefix } from '../limits.js'
import type { RecordPlace } from '../messages/chunk-cursor.js'
import { expiringHeaders } from '../messages/expiry.js'
import { StoredMessage } from '../messages/message.js'
import type { DueEntry, DuePlace } from './due-order.js'

/** Headers of scheduled messages do not begin so. */
const prefix = laterHeaderPrefix
const names = {
  topic: `${prefix}topic`,
  /** Ms since the epoch. */
  due: `${prefix}due`,
  /** Where that is not its place in the order. */
  order: `${prefix}order`,
  /** Its number, where that is not the offset of the record. */
  number: `${prefix}number`,
  /** The number of what it cancels. */
  cancels: `${prefix}cancels`,
  /** An id among its own headers that was none of its own. */
  id: `${prefix}id`,
  /** Of what comes again: its name and its rule, and the message's own key, in base64. That of the record is topic and name. */
  repeat: `${prefix}repeat`,
  rule: `${prefix}rule`,
  key: `${prefix}key`,
  /** `windowMs/max`: how far back the topic remembers its id. */
  dedupe: `${prefix}dedupe`,
} as const

type Headers = Record<string, string>

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const source = { topic: '.later', decode: undefined }

/** When a message is due, and its place in the order but for its number. */
export interface DueTime {
  readonly due: number
  readonly order: number
}

/** What is appended to `.later`. */
export interface LaterRecord {
  readonly value: PlannedMessage['value']
  readonly extras: Extras
  readonly condition: Condition | undefined
}

export function laterRecord({ topic, value, extras, id }: PlannedMessage, time: DueTime): LaterRecord {
  if (id === undefined && extras?.headers === undefined)
    return { value, extras: { key: extras?.key, headers: encode(timeHeaders(topic, time)) }, condition: undefined }
  const { [idHeader]: given, ...own } = headersOf(extras)
  const known = id && idOfTopic(topic, id)
  const headers: Headers = {
    ...own,
    ...timeHeaders(topic, time),
    // What stands there would be taken for an id of `.later`.
    ...(known === undefined && given !== undefined && { [names.id]: given }),
    ...(id && known && { [idHeader]: known.text, [names.dedupe]: `${id.windowMs}/${id.max}` }),
  }
  return {
    value,
    extras: { key: extras?.key, headers: encode(headers) },
    condition: known && { id: known, isIdNew: true },
  }
}

/** The next time that it comes. */
export function repeatRecord({ topic, name, rule, value, extras }: Repeat, time: DueTime): LaterRecord {
  const { [idHeader]: given, ...own } = headersOf(extras)
  const headers: Headers = {
    ...own,
    ...timeHeaders(topic, time),
    ...(given !== undefined && { [names.id]: given }),
    [names.repeat]: name,
    [names.rule]: JSON.stringify(rule),
    ...(extras?.key && { [names.key]: Buffer.from(extras.key).toString('base64') }),
  }
  return { value, extras: { key: repeatKey(topic, name), headers: encode(headers) }, condition: undefined }
}

/** Under which the last record of a repeat is found. */
export function repeatKey(topic: string, name: string): Uint8Array {
  return encoder.encode(`${topic}/${name}`)
}

/** What comes again. Undefined: it comes once, or cannot be understood. */
function repeatIn(headers: Headers, { topic, value, extras }: Omit<DueMessage, 'repeat'>): Repeat | undefined {
  const { [names.repeat]: name, [names.rule]: rule, [names.cancels]: cancels } = headers
  if (name === undefined || rule === undefined || cancels !== undefined) return undefined
  return { name, rule: JSON.parse(rule) as RepeatRule, topic, value, extras }
}

/** That of the topic: `.later` has the ids of all topics. */
function idOfTopic(topic: string, { text, windowMs, max }: MessageId): MessageId {
  const own = `${topic}/${text}`
  return { text: own, windowMs, max }
}

/** @param key of the record that it cancels, where that has one to be found by */
export function cancelRecord(topic: string, entry: DuePlace & { due: number }, key?: Uint8Array): LaterRecord {
  const headers = { ...timeHeaders(topic, entry), [names.cancels]: String(entry.id) }
  return { value: new Uint8Array(0), extras: { key, headers: encode(headers) }, condition: undefined }
}

/** The same, which is refused where it was said before, as long as the log remembers. */
export function cancelOnce(topic: string, entry: DuePlace & { due: number }, key?: Uint8Array): LaterRecord {
  const { value, extras } = cancelRecord(topic, entry, key)
  // No id of a topic: those have a slash in front of them.
  const text = `cancel ${entry.id}`
  const id = { text, windowMs: defaultIdWindowMs, max: defaultMaxIds }
  const headers = encode({ ...headersOf(extras), [idHeader]: text })
  return { value, extras: { key, headers }, condition: { id, isIdNew: true } }
}

/** The same message once more, in the same place of the order. */
export function copiedRecord(place: RecordPlace, { id, isCancel }: DueEntry): LaterRecord {
  const { key: own, value, headers } = new StoredMessage<Uint8Array>(source, place)
  // The last record with a key tells how its repeat stands, which may have begun again since it was cancelled.
  const key = isCancel ? undefined : own
  return { value, extras: { key, headers: encode({ ...headers, [names.number]: String(id) }) }, condition: undefined }
}

/** Its place in the order. @returns undefined: it is none that could be delivered */
export function entryOf(place: RecordPlace): (DueEntry & { topic: string }) | undefined {
  const headers = new StoredMessage(source, place).headers ?? {}
  const cancels = headers[names.cancels]
  const id = Number(cancels ?? headers[names.number] ?? place.offset)
  const due = Number(headers[names.due])
  const order = Number(headers[names.order] ?? due)
  const topic = headers[names.topic]
  if (topic === undefined || ![id, due, order].every(Number.isSafeInteger)) return undefined
  return { topic, due, order, id, at: place.offset, isCancel: cancels !== undefined }
}

/** The message as it is delivered. */
export interface DueMessage {
  readonly topic: string
  readonly value: Uint8Array
  readonly extras: Extras | undefined
  readonly condition: Condition | undefined
  /** It comes again. */
  readonly repeat: Repeat | undefined
}

export function deliveredOf(place: RecordPlace): DueMessage {
  const { key: stored, value, headers = {} } = new StoredMessage<Uint8Array>(source, place)
  const own = ownHeaders(headers)
  const extras = extrasOf(ownKey(stored, headers), own)
  const message = { topic: headers[names.topic], value, extras, condition: conditionOf(headers, own) }
  return { ...message, repeat: repeatIn(headers, message) }
}

/** Its topic may know it by the id already. */
function conditionOf({ [names.dedupe]: dedupe }: Headers, { [idHeader]: text }: Headers): Condition | undefined {
  if (dedupe === undefined) return undefined
  const [windowMs, max] = dedupe.split('/').map(Number)
  return { id: { text, windowMs, max } }
}

/** One that counted for a time only, and failed, counts no longer than that. */
function extrasOf(key: Uint8Array | undefined, own: Headers): Extras | undefined {
  if (Number.isSafeInteger(Number(own[expiresHeader]))) {
    const { [expiresHeader]: expires, ...others } = own
    const expiresAt = Number(expires)
    return { key, headers: encoder.encode(expiringHeaders(expiresAt, JSON.stringify(others))), expiresAt }
  }
  const hasHeaders = Object.keys(own).length > 0
  return key === undefined && !hasHeaders ? undefined : { key, headers: hasHeaders ? encode(own) : undefined }
}

/** The id that it has in its topic; undefined: none. */
export function idIn(place: RecordPlace): string | undefined {
  const { headers = {} } = new StoredMessage<Uint8Array>(source, place)
  return names.cancels in headers ? undefined : ownHeaders(headers)[idHeader]
}

/** The same of a message that is to be scheduled. */
export function idOf({ id, extras }: PlannedMessage): string | undefined {
  return id?.text ?? headersOf(extras)[idHeader]
}

/** As it is listed. */
export function pendingOf(place: RecordPlace, { id, due }: DueEntry): PendingMessage {
  const { key: stored, value, headers = {} } = new StoredMessage<Uint8Array>(source, place)
  const own = ownHeaders(headers)
  const key = ownKey(stored, headers)
  const { repeat } = deliveredOf(place)
  const listed = Object.keys(own).length > 0 ? own : undefined
  return {
    id: String(id),
    deliverAt: due,
    topic: headers[names.topic],
    key,
    headers: listed,
    value,
    repeat: repeat && { name: repeat.name, rule: repeat.rule },
  }
}

function ownKey(key: Uint8Array | undefined, headers: Headers): Uint8Array | undefined {
  if (!(names.repeat in headers)) return key
  return names.key in headers ? new Uint8Array(Buffer.from(headers[names.key], 'base64')) : undefined
}

/** Without what is said here, and the id as the topic knows it. */
function ownHeaders(headers: Headers): Headers {
  const others = Object.keys(headers).filter((name) => !name.startsWith(prefix))
  const own: Headers = Object.fromEntries(others.map((name) => [name, headers[name]]))
  if (names.id in headers) own[idHeader] = headers[names.id]
  if (names.dedupe in headers) own[idHeader] = own[idHeader].slice(headers[names.topic].length + 1)
  return own
}

function timeHeaders(topic: string, { due, order }: DueTime): Headers {
  const headers: Headers = { [names.topic]: topic, [names.due]: String(due) }
  if (order !== due) headers[names.order] = String(order)
  return headers
}

function headersOf(extras: Extras | undefined): Headers {
  return extras?.headers === undefined ? {} : (JSON.parse(decoder.decode(extras.headers)) as Headers)
}

function encode(headers: Headers): Uint8Array {
  return encoder.encode(JSON.stringify(headers))
}
