import { createHash } from 'node:crypto'

/** Bookend's bound on a name. */
const MAX_NAME_LENGTH = 200
const HASH_LENGTH = 10

/**
 * Hands out topic names for the sources of one run: valid ones, each once, and the same ones for the same sources in
 * the same order, so that a second run on the same log appends to the topics of the first.
 */
export class TopicNames {
  /** In lower case: topics are folders in the log, and not every file system tells README from readme. */
  readonly #taken = new Set<string>()

  /**
   * @param name of a source: a path with `/`, of any length and any characters
   * @returns 1 to 200 characters of `A-Z a-z 0-9 . _ -`, not starting with a dot
   */
  nameFor(name: string): string {
    const base = shorten(sanitize(name), MAX_NAME_LENGTH, name)
    let candidate = base
    for (let number = 2; this.#taken.has(candidate.toLowerCase()); number++) {
      const suffix = `-${number}`
      candidate = `${shorten(base, MAX_NAME_LENGTH - suffix.length, name)}${suffix}`
    }
    this.#taken.add(candidate.toLowerCase())
    return candidate
  }
}

function sanitize(name: string): string {
  const safe = name.replaceAll('/', '.').replace(/[^A-Za-z0-9._-]/gu, '_')
  // A leading underscore would only be what is left of an @scope or of the dot that may not lead.
  return safe.replace(/^[._]+/, '') || 'source'
}

/** Keeps the end, where the file name is, and puts a hash of the whole in place of the rest. */
function shorten(safe: string, maxLength: number, original: string): string {
  if (safe.length <= maxLength) return safe
  const hash = createHash('sha256').update(original).digest('hex').slice(0, HASH_LENGTH)
  return `${hash}-${safe.slice(safe.length - (maxLength - HASH_LENGTH - 1))}`
}
