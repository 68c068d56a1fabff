/** What topics are read by. */

import type { PackedKeys } from '../../collections/packed-keys.js'
import type { KeyedRange, ScanRequest } from '../../engine/engine.js'
import type {
  ChunkAnswer,
  KeyedAnswer,
  NewestAnswer,
  ReadTask,
  RecordsAnswer,
  TopicRef,
} from '../../threads/reader/reader.js'

export interface TopicReads {
  chunk(task: Omit<Extract<ReadTask, { op: 'chunk' }>, 'op'>): Promise<ChunkAnswer>
  /** In the order of the offsets, in as many parts as it takes. */
  records(topic: TopicRef, offsets: readonly number[]): Promise<RecordsAnswer[]>
  /** One record; of length 0 if it is not there. */
  record(topic: TopicRef, offset: number): Promise<{ bytes: Uint8Array; length: number }>
  offsetAt(topic: TopicRef, time: number): Promise<number>
  keyed(topic: TopicRef, key: Uint8Array, range: KeyedRange): Promise<KeyedAnswer>
  /** Of many keys at once the newest message, as far as one step goes. */
  newest(topic: TopicRef, keys: PackedKeys): Promise<NewestAnswer>
  scan(topic: TopicRef, request: ScanRequest): Promise<unknown>
}
