/**
 * Cursors keep caches between the server and its clients from answering with the same empty response for ever: the number of the present interval, and
 * always a greater one than the client had.
 */
const epochMs = Date.UTC(2024, 9, 9)
const intervalMs = 20_000
const mostJitterMs = 3_600_000

export function cursorAfter(known: string | undefined, nowMs: number): string {
  const current = Math.floor((nowMs - epochMs) / intervalMs)
  const had = known !== undefined && /^\d{1,15}$/.test(known) ? Number(known) : -1
  if (had < current) return String(current)
  return String(had + Math.max(1, Math.ceil((Math.random() * mostJitterMs) / intervalMs)))
}
