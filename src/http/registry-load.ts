/** What streams there are, as the records of the registry say. */
import type { Topic } from '../log/topic.js'
import type { Clocks } from './clocks.js'
import { type StreamChange, type StreamRecord, StreamState } from './stream-state.js'
import { usedMsFrom } from './use-times.js'

export interface LoadedStreams {
  readonly found: Map<string, StreamState>
  /** How many records that took. */
  readonly count: number
}

export async function loadStreams(records: Topic<StreamRecord>, clocks: Clocks): Promise<LoadedStreams> {
  const found = new Map<string, StreamState>()
  let count = 0
  for await (const { keyText: name = '', value, timestamp } of records.read()) {
    count += 1
    if ('deleted' in value) {
      found.delete(name)
      continue
    }
    const stream =
      'created' in value || 'state' in value ? new StreamState(name, madeBy(value, timestamp)) : found.get(name)
    if (stream === undefined) continue
    found.set(name, stream)
    if ('created' in value && value.change !== undefined) noteWritten(stream, value.change, timestamp)
    else if ('changed' in value) noteWritten(stream, value.changed, timestamp)
    else if ('hidden' in value) stream.isHidden = true
    const usedAt = 'state' in value ? (value.state.usedAt ?? timestamp) : timestamp
    stream.usedMs = usedMsFrom(stream.config, usedAt, clocks)
    stream.recordedMs = stream.usedMs
  }
  for (const { fork } of found.values()) {
    const source = fork && found.get(fork.source)
    if (source !== undefined) source.forks += 1
  }
  return { found, count }
}

function madeBy(
  record: Extract<StreamRecord, { created: unknown } | { state: unknown }>,
  at: number,
): ConstructorParameters<typeof StreamState>[1] {
  if ('state' in record) {
    const { producers, ...state } = record.state
    // Those of before do not say when a producer wrote.
    return { ...state, producers: producers.map(([id, place]) => [id, { ...place, at: place.at ?? at }]) }
  }
  const { created, first, fork } = record
  return { ...created, first, fork, producers: [] }
}

/** @param at wall clock */
export function noteWritten(stream: StreamState, change: StreamChange, at: number): void {
  stream.apply(change, at)
  if (change.closed === true) stream.isEnded = true
}
