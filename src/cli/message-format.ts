/** How a message is printed: `--format`. */
import { InvalidArgumentError } from 'commander'
import type { Message } from '../messages/message.js'
import { escaped, escapedBytes } from './escape.js'
import type { Terminal } from './terminal.js'
import { preciseTime } from './units.js'
import { visible } from './visible.js'

/** A message as it is printed, with the end of its line. */
export type MessageFormat = (message: Message, place: Terminal) => string | Uint8Array

const lineEnd = new Uint8Array([0x0a])

/** `{name}` or `{name:argument}`. Other braces are text, those of JSON for one. */
const fieldPattern = /\{([A-Za-z]+)(?::([^{}]*))?\}/g
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', '\\': '\\' }

const fields: Readonly<Record<string, (message: Message, argument: string | undefined) => string>> = {
  topic: ({ topic }) => topic,
  offset: ({ offset }) => String(offset),
  timestamp: ({ timestamp }) => String(timestamp),
  time: ({ timestamp }) => new Date(timestamp).toISOString(),
  key: ({ key }) => (key === undefined ? '' : escapedBytes(key)),
  value: ({ value }) => escapedBytes(value),
  headers: ({ headers }) => visible(JSON.stringify(headers ?? {})),
  header: ({ headers }, name) => escaped(own(headers, name) ?? ''),
}

/** @param showsTopic where messages of several topics stand below each other */
export function textFormat(showsTopic: boolean): MessageFormat {
  return ({ topic, offset, timestamp, key, headers, value }, { colors }) => {
    const parts = [colors.cyan(showsTopic ? `${topic}:${offset}` : String(offset)), colors.dim(preciseTime(timestamp))]
    if (key !== undefined) parts.push(colors.yellow(`key=${escapedBytes(key)}`))
    for (const [name, text] of Object.entries(headers ?? {}))
      parts.push(colors.magenta(`${escaped(name)}=${escaped(text)}`))
    parts.push(escapedBytes(value))
    return `${parts.join('  ')}\n`
  }
}

/** JSON has escapes for what a terminal must not be given. */
const jsonFormat: MessageFormat = (message) => `${visible(JSON.stringify(message, null, 2))}\n`
export const ndjsonFormat: MessageFormat = (message) => `${visible(JSON.stringify(message))}\n`

/** The bytes of the value, and nothing else; a terminal shows its lines and no more. */
function rawFormat(endsLines: boolean): MessageFormat {
  return ({ value }, { isInteractive }) => {
    if (!isInteractive) return endsLines ? Buffer.concat([value, lineEnd]) : value
    const lines = Buffer.from(value).toString('utf8').split('\n')
    return `${lines.map(escaped).join('\n')}\n`
  }
}

function templateFormat(template: string): MessageFormat {
  const parts: (string | ((message: Message) => string))[] = []
  let end = 0
  for (const found of template.matchAll(fieldPattern)) {
    const [whole, name, argument] = found
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (field === undefined || (argument !== undefined) !== (name === 'header'))
      throw new InvalidArgumentError(`There is no ${whole}: a template has ${knownFields}.`)
    parts.push(unescaped(template.slice(end, found.index)), (message) => field(message, argument))
    end = found.index + whole.length
  }
  parts.push(unescaped(template.slice(end)))
  return (message) => `${parts.map((part) => (typeof part === 'string' ? part : part(message))).join('')}\n`
}

const knownFields = `${Object.keys(fields)
  .filter((name) => name !== 'header')
  .map((name) => `{${name}}`)
  .join(' ')} {header:NAME}`

function unescaped(text: string): string {
  return text.replaceAll(/\\([nt\\])/g, (_, character: string) => escapes[character])
}

function own(headers: Record<string, string> | undefined, name: string | undefined): string | undefined {
  return headers !== undefined && name !== undefined && Object.hasOwn(headers, name) ? headers[name] : undefined
}

export const formatOption = [
  '--format <format>',
  `text, json, ndjson, raw (bytes of the value), or a template such as '{offset} {value}' (${knownFields}); text on a terminal and ndjson elsewhere unless said`,
] as const

export interface Format {
  /** For one message alone. */
  one: MessageFormat
  /** For messages of one topic, below each other. */
  ofTopic: MessageFormat
  /** For messages of several topics. */
  ofTopics: MessageFormat
}

/** For commander. */
export function parseFormat(text: string): Format {
  if (text === 'text') return { one: textFormat(false), ofTopic: textFormat(false), ofTopics: textFormat(true) }
  if (text === 'raw') return { one: rawFormat(false), ofTopic: rawFormat(true), ofTopics: rawFormat(true) }
  if (text === 'json') return always(jsonFormat)
  if (text === 'ndjson') return always(ndjsonFormat)
  if (!/[{}]/.test(text)) throw new InvalidArgumentError('It is text, json, ndjson, raw, or a template with {fields}.')
  return always(templateFormat(text))
}

/** People read text, programs read JSON. */
export function formatFor(given: Format | undefined, { isInteractive }: Terminal): Format {
  return given ?? parseFormat(isInteractive ? 'text' : 'ndjson')
}

function always(format: MessageFormat): Format {
  return { one: format, ofTopic: format, ofTopics: format }
}
