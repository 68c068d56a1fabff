/**
 * When streams with a time to live were used last. That is in the log as well, but coarsely, so that reads are no writes: the next server takes a stream
 * as used a grain later than what it finds, so it goes late by that at most, and never early.
 */
import type { Clocks } from './clocks.js'
import type { StreamConfig, StreamState } from './stream-state.js'

const leastGrainMs = 1_000

function grainMs(ttlSeconds: number): number {
  return Math.max(leastGrainMs, ttlSeconds * 100)
}

/** By the clock of the process: when it was used last. @param at wall clock: what the log says of that */
export function usedMsFrom({ ttlSeconds = 0 }: StreamConfig, at: number, { now, nowMs }: Clocks): number {
  return nowMs() - Math.max(0, now() - at - grainMs(ttlSeconds))
}

export class UseTimes {
  readonly #clocks: Clocks
  readonly #record: (topic: string) => Promise<void>

  /** @param record writes that the stream was used now */
  constructor(clocks: Clocks, record: (topic: string) => Promise<void>) {
    this.#clocks = clocks
    this.#record = record
  }

  note(stream: StreamState): void {
    const { ttlSeconds } = stream.config
    if (ttlSeconds === undefined) return
    const nowMs = this.#clocks.nowMs()
    stream.usedMs = nowMs
    if (nowMs - stream.recordedMs < grainMs(ttlSeconds)) return
    stream.recordedMs = nowMs
    // That it cannot be written is told to who writes messages.
    this.#record(stream.topic).catch(() => {})
  }

  /** Wall clock: when it was used last. */
  atOf({ usedMs }: StreamState): number {
    return this.#clocks.now() - (this.#clocks.nowMs() - usedMs)
  }
}
