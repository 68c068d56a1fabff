import { InvalidArgumentError } from 'commander'
import { namePattern } from '../limits.js'
import { isUrl, serversOf } from './servers.js'

/** For options that take seconds. */
export function seconds(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0.1 && value <= 3_600) return value
  throw new InvalidArgumentError('It must be a number of seconds from 0.1 to 3600.')
}

/** For options that take a count. */
export function positive(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('It must be a whole number from 1.')
}

/** For options that take a count which may be none. */
export function count(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('It must be a whole number from 0.')
}

/** For options that take a port. */
export function port(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= 65_535) return value
  throw new InvalidArgumentError('It must be a port: a whole number from 0, for any that is free, to 65535.')
}

/** For options that take a level of durability of a log in a directory. */
export function durability(text: string): 'process' | 'disk' {
  if (text === 'process' || text === 'disk') return text
  throw new InvalidArgumentError('It must be process or disk.')
}

/** For options that take an origin, as a browser names it, and may come several times. */
export function origins(text: string, before: readonly string[] = []): readonly string[] {
  if (text === '*' || (URL.canParse(text) && new URL(text).origin === text)) return [...before, text]
  throw new InvalidArgumentError("It must be an origin, as https://example.org, or '*'.")
}

/** For a path below which something is served. */
export function basePath(text: string): string {
  if (/^(\/[^/?#]+)+$/.test(text)) return text
  throw new InvalidArgumentError('It must begin with a slash, and not end with one, as /streams.')
}

/** For names of topics and groups. */
export function name(text: string): string {
  if (namePattern.test(text)) return text
  throw new InvalidArgumentError('It must be 1 to 200 of A-Z a-z 0-9 . _ -, not starting with a dot.')
}

/** For headers. */
export function nameAndValue(text: string): [name: string, value: string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new InvalidArgumentError('It must be the name of a header, =, and its value.')
  return [text.slice(0, equals), text.slice(equals + 1)]
}

/** For options that may come several times. */
export function names(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, name(text)]
}

export const topicOption = ['--topic <topic>', 'this topic only; may come several times', names] as const
export const topicArgument = ['<topic>', 'name of the topic', name] as const
/** A URL where only a directory will do would be taken for a strange path. */
function directory(text: string): string {
  if (!isUrl(text)) return text
  throw new InvalidArgumentError('This verb is for logs in a directory.')
}

function place(text: string): string {
  if (isUrl(text)) {
    const problem = serversOf(text).problem
    if (problem !== undefined) throw new InvalidArgumentError(problem)
  }
  return text
}

export const directoryArgument = ['<directory>', 'directory of the log', directory] as const
/** For the verbs that need no more of a log than every engine has. */
export const placeArgument = ['<log>', 'directory of the log, or nats://HOST:PORT/NAME', place] as const
