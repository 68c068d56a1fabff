/**
 * Cursors keep caches between the server and its clients from answering with the same empty response for ever: the number of the present interval, and
 * always a greater one than the client had.
 */
const epochMs = Date.UTC(2024, 9, 9)
const intervalMs = 20_000
const mostJitterMs = 3_600_000

/** Greater than the one that the client came with. */
export function cursorAfter(known: string | undefined, nowMs: number): string {
  const current = intervalAt(nowMs)
  const had = known !== undefined && /^\d{1,15}$/.test(known) ? Number(known) : -1
  if (had < current) return String(current)
  return String(had + Math.max(1, Math.ceil((Math.random() * mostJitterMs) / intervalMs)))
}

/** On a connection that goes on: the one that was given on it before is good as long as it is not of the past. So most that follow a stream are given the same. */
export function cursorSince(given: string, nowMs: number): string {
  return Number(given) < intervalAt(nowMs) ? String(intervalAt(nowMs)) : given
}

function intervalAt(nowMs: number): number {
  return Math.floor((nowMs - epochMs) / intervalMs)
}
