export interface Clocks {
  /** Wall clock. */
  now(): number
  /** For durations, within one thread. */
  nowMs(): number
}
