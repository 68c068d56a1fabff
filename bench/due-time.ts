/** When a message was due, carried in its first bytes: whoever receives it tells its age, in whichever thread. */

/** Microseconds of the system's monotonic clock, which all threads share; `performance.now()` begins anew in each. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint()) / 1000
}

/** Shortest message that carries a due time. */
export const dueTimeBytes = 8

export function setDueTime(value: Uint8Array, us: number): void {
  viewOf(value).setFloat64(0, us, true)
}

export function dueTimeOf(value: Uint8Array): number {
  return viewOf(value).getFloat64(0, true)
}

function viewOf(value: Uint8Array): DataView {
  return new DataView(value.buffer, value.byteOffset, value.byteLength)
}
