/** What topics are read by. */
import type { Filter } from '../../engine/terms.js'
import type { ChunkAnswer, ReadTask, RecordsAnswer, TopicRef } from '../../threads/reader/reader.js'

export interface TopicReads {
  chunk(task: Omit<Extract<ReadTask, { op: 'chunk' }>, 'op'>): Promise<ChunkAnswer>
  /** In the order of the offsets, in as many parts as it takes. */
  records(topic: TopicRef, offsets: readonly number[]): Promise<RecordsAnswer[]>
  /** One record; of length 0 if it is not there. */
  record(topic: TopicRef, offset: number): Promise<{ bytes: Uint8Array; length: number }>
  offsetAt(topic: TopicRef, time: number): Promise<number>
  scan(
    topic: TopicRef,
    from: number,
    to: number,
    module: string,
    signal: AbortSignal | undefined,
    filter: Filter | undefined,
  ): Promise<unknown>
}
