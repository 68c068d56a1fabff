/** One line of a log: when, how bad, what. */
export interface ParsedLine {
  readonly time: string | undefined
  readonly level: string
  readonly text: string
}

const isoTime = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?/
const levelWord = /\b(trace|debug|info|notice|warn(?:ing)?|err(?:or)?|fatal|crit(?:ical)?)\b/i
/** Status and size at the end of a request in the common log format. */
const requestStatus = /" (\d{3}) (?:\d+|-)/

const levels: Readonly<Record<string, string>> = { warning: 'warn', err: 'error', crit: 'fatal', critical: 'fatal' }

/** Understands lines with an ISO time and a level word, and those of web servers; anything else is of level `other`. */
export function parseLine(line: string): ParsedLine {
  const time = isoTime.exec(line)?.[0]
  const status = requestStatus.exec(line)?.[1]
  if (status !== undefined) return { time, level: `status ${status[0]}xx`, text: line }
  const word = levelWord.exec(line)?.[1]?.toLowerCase()
  return { time, level: word === undefined ? 'other' : (levels[word] ?? word), text: line }
}
