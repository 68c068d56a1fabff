/** Flushes are done on the thread of who flushes, and not off it, while they take less than this. */
export const quickFlushMicros = 2_000

/** The writer tells the reaper of flushes of its own this often. Who was told looks again when it would have been told of more. */
export const tellFlushesMs = 100
