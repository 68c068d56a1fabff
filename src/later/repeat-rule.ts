/** When what repeats comes next. Rules of cron are read by croner, which knows time zones and their changes of the clock. */
import { Cron } from 'croner'
import type { RepeatRule } from '../engine/terms.js'

/**
 * @param last when it came, or was to come
 * @returns the first time of the rule behind both; undefined: there is none
 */
export function nextTime({ cron, timeZone, everyMs }: RepeatRule, last: number, now: number): number | undefined {
  if (everyMs !== undefined) return last + everyMs * Math.max(1, Math.floor((now - last) / everyMs) + 1)
  if (cron === undefined) return undefined
  return new Cron(cron, { timezone: timeZone, paused: true }).nextRun(new Date(Math.max(last, now)))?.getTime()
}

/** @throws what croner throws about it */
export function checkCron(cron: string, timeZone: string | undefined): void {
  // Zones are looked at when a time is asked for.
  new Cron(cron, { timezone: timeZone, paused: true }).nextRun()
}
