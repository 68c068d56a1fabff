/** When a job comes again and again: checked before anything is written. */
import type { RepeatRule } from '../../engine/terms.js'
import { checkCron } from '../../later/repeat-rule.js'
import { maxTime } from '../../limits.js'
import { checkInteger, checkKeys, checkOneOf, describe } from '../validate.js'

/** When a job comes again: `cron` or `everyMs`. */
export interface RepeatOptions {
  /** A rule of cron, of five fields, or six with seconds in front, as [croner](https://croner.56k.guru) reads it. */
  cron?: string | undefined
  /** The zone whose clock the rule is about, as `Europe/Berlin`; that of the machine unless said. */
  timeZone?: string | undefined
  /** So many ms from one to the next, from the first call of `every` on. */
  everyMs?: number | undefined
  /** What was due while nobody had the log open comes `once`, however often it was due (the default), or is left out (`skip`). */
  missed?: 'once' | 'skip'
}

/** @throws TypeError, RangeError */
export function checkRepeat(options: RepeatOptions): RepeatRule {
  checkKeys('the rule of every()', options, ['cron', 'timeZone', 'everyMs', 'missed'])
  const { cron, timeZone, everyMs } = options
  if ((cron === undefined) === (everyMs === undefined))
    throw new TypeError('a job repeats by cron, a rule, or by everyMs: give one of them')
  const missed = checkOneOf('missed', options.missed ?? 'once', ['once', 'skip'])
  if (everyMs !== undefined) {
    if (timeZone !== undefined) throw new TypeError('timeZone is for cron: everyMs knows no clock')
    return { everyMs: checkInteger('everyMs', everyMs, 1, maxTime), missed }
  }
  if (typeof cron !== 'string') throw new TypeError(`cron is a string, not ${describe(cron)}`)
  if (timeZone !== undefined && typeof timeZone !== 'string')
    throw new TypeError(`timeZone is a string, not ${describe(timeZone)}`)
  try {
    checkCron(cron, timeZone)
  } catch (cause) {
    const zone = timeZone === undefined ? '' : ` in the zone ${JSON.stringify(timeZone)}`
    throw new RangeError(`cron ${JSON.stringify(cron)}${zone} is no rule: ${(cause as Error).message}`, { cause })
  }
  return { cron, ...(timeZone !== undefined && { timeZone }), missed }
}
