/** Places in a topic, as people say them. */
import { InvalidArgumentError } from 'commander'
import { isInCalendar } from '../log/calendar.js'

/** An offset, an end of the topic, or a time. */
export type TopicPlace = number | 'first' | 'next' | Date

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const datePattern = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/

export const placeHelp =
  'an offset, first, next, a time (2026-11-26, "2026-11-26 13:04:05", local unless it has a zone), or how long ago (30s, 10m, 2h, 1d)'

/** For commander. @throws InvalidArgumentError */
export function parsePlace(text: string): TopicPlace {
  return text === 'first' || text === 'next' ? text : parseOffsetOrTime(text)
}

/** For commander. @throws InvalidArgumentError */
export function parseOffsetOrTime(text: string): number | Date {
  if (/^\d+$/.test(text)) return offset(text)
  const ago = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text)
  if (ago !== null) return new Date(Math.max(0, Date.now() - Number(ago[1]) * units[ago[2]]))
  if (datePattern.test(text) && isInCalendar(text)) {
    // A date alone would be one of Greenwich.
    const time = new Date(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'))
    if (!Number.isNaN(time.getTime())) return time
  }
  throw new InvalidArgumentError(`It is ${placeHelp}.`)
}

/** For commander. @throws InvalidArgumentError */
export function offset(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('It must be an offset: a whole number from 0.')
}
