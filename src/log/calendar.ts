/** Days as people write them. */

/** @param text begins with a day, YYYY-MM-DD. False: no month has that day, which a `Date` takes for one of the next month. */
export function isInCalendar(text: string): boolean {
  const day = text.slice(0, 10)
  const time = new Date(`${day}T00:00Z`)
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(day)
}
