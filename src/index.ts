/**
 * Bookend: an embedded, persistent message log for Node.js. This file is the whole public face.
 * @packageDocumentation
 */
export { bytes, type Codec, type JsonCodec, json, text } from './codec.js'
export type { Durability } from './dispatcher/append-side.js'
export type { ProcessOrder, ProcessorState } from './dispatcher/processor.js'
export type { LogStats, SegmentInfo, SegmentResidency } from './engine/stats.js'
export { BookendError, type ErrorCode, type ErrorDetails } from './errors.js'
export type { Group, GroupPosition } from './log/group.js'
export type { ConsumeOptions, Delivery } from './log/group-consumer.js'
export { type BackupOptions, type Log, open, type QueueOptions, type TopicOptions } from './log/log.js'
export type { MessageStream } from './log/message-stream.js'
export type { OpenOptions } from './log/options.js'
export type { ProcessOptions, Processor } from './log/processor-options.js'
export type { PopOptions, PushOptions, Queue } from './log/queue.js'
export type { AppendOptions, ReadOptions, ScanOptions, Topic } from './log/topic.js'
export type { KeptReason } from './ring/shared-state.js'
export type { BackupReport } from './storage/backup.js'
export type { JsonMessage, Message, PlainMessage } from './storage/message.js'
export type { MessageBatch } from './storage/message-batch.js'
export type { DiskWatermarks, Retention } from './storage/retention.js'
export type { Handler, HandlerContext } from './threads/handler-task.js'
