/** The one clock that all threads of the process share: `performance.now()` begins anew in each of them. */

/** Monotonic milliseconds, wrapped to 32 bits (49 days): compare by difference. */
export function sharedClockMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return (seconds * 1000 + Math.floor(nanoseconds / 1e6)) | 0
}
