/**
 * A stream's topic is named after its path, so that it is recognised in the log: what a topic's name cannot have is escaped, `/` is a dot, and no two paths
 * are one topic. Nothing leads out of that: a name is made of the path's own characters, and never begins with a dot.
 *
 * An underscore is always followed by two digits there: topics of the server itself have another letter behind it.
 */
import { maxNameBytes } from '../limits.js'
import { HttpError } from './exchange.js'

/** Topic in which the server keeps what it knows of streams. */
export const registryTopic = '_streams'

/** Topic in which it keeps who has subscribed to them. */
export const subscriptionTopic = '_subscriptions'

const plain = /^[A-Za-z0-9-]$/
/** Nothing is escaped, and nothing is missing. */
const plainPath = /^[A-Za-z0-9-]+(?:\/[A-Za-z0-9-]+)*$/

/** @param path below the base path, without the slash in front. @throws HttpError 404, 414 */
export function topicOf(path: string): string {
  if (path.length <= maxNameBytes && plainPath.test(path)) return path.replaceAll('/', '.')
  if (path === '' || path.split('/').includes('')) throw new HttpError(404, 'a stream has a path without empty parts')
  let name: string
  try {
    // Part by part: a slash that was escaped is no separator.
    name = path.split('/').map(decodeURIComponent).map(escaped).join('.')
  } catch {
    throw new HttpError(400, 'the path is not percent-encoded as it has to be')
  }
  if (name.length > maxNameBytes)
    throw new HttpError(
      414,
      `the path of a stream is too long: its topic would have a name of ${name.length} characters, and ${maxNameBytes} are the most`,
    )
  return name
}

/** The path of which a topic has its name, as it is written in a URL. */
export function pathOf(topic: string): string {
  return topic
    .split('.')
    .map((part) => encodeURIComponent(decodeURIComponent(part.replaceAll('_', '%'))))
    .join('/')
}

function escaped(part: string): string {
  let name = ''
  for (const byte of Buffer.from(part)) {
    const letter = String.fromCharCode(byte)
    name += plain.test(letter) ? letter : `_${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return name
}
