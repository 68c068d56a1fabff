/** What topics are read by. */

import type { KeyedRange, ScanRequest } from '../../engine/engine.js'
import type { ChunkAnswer, KeyedAnswer, ReadTask, RecordsAnswer, TopicRef } from '../../threads/reader/reader.js'

export interface TopicReads {
  chunk(task: Omit<Extract<ReadTask, { op: 'chunk' }>, 'op'>): Promise<ChunkAnswer>
  /** In the order of the offsets, in as many parts as it takes. */
  records(topic: TopicRef, offsets: readonly number[]): Promise<RecordsAnswer[]>
  /** One record; of length 0 if it is not there. */
  record(topic: TopicRef, offset: number): Promise<{ bytes: Uint8Array; length: number }>
  offsetAt(topic: TopicRef, time: number): Promise<number>
  keyed(topic: TopicRef, key: Uint8Array, range: KeyedRange): Promise<KeyedAnswer>
  scan(topic: TopicRef, request: ScanRequest): Promise<unknown>
}
