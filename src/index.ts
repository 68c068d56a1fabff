/**
 * Bookend: an embedded, persistent message log for Node.js. This file is the whole public face.
 * @module bookend
 */
export type { Supports } from './engine/engine.js'
export type { ProcessOrder, ProcessorState } from './engine/group-seat.js'
export type { Handler, HandlerAppendOptions, HandlerContext, HandlerScheduleOptions } from './engine/handler.js'
export type {
  LogStats,
  PackingOutlook,
  RewritingOutlook,
  SegmentInfo,
  SegmentNeed,
  SegmentResidency,
} from './engine/stats.js'
export type {
  BackupReport,
  Compress,
  Durability,
  ExpectedVersion,
  GroupInfo,
  GroupPosition,
  KeptReason,
  LogPort,
  Retention,
  Ticket,
  TopicIndex,
} from './engine/terms.js'
export { BookendError, type ErrorCode, type ErrorDetails } from './errors.js'
export type { AppendOptions, Dedupe, DeleteOptions } from './log/append-options.js'
export type { DeadLetter } from './log/dead-letter.js'
export type {
  DeadLetterBox,
  DeadLetterList,
  DeadLetterOptions,
  DiscardReport,
  RedriveOptions,
  RedriveReport,
} from './log/dead-letters.js'
export type { Delivery } from './log/delivery.js'
export type { KeyOptions } from './log/finding/keyed-messages.js'
export type { CountOptions } from './log/finding/topic-finder.js'
export type { Where } from './log/finding/where.js'
export type { Group } from './log/group.js'
export type { ConsumeOptions } from './log/group-consumer.js'
export type { RepeatOptions } from './log/later/repeat-options.js'
export type { DeliveryTime, ScheduleOptions } from './log/later/schedule-options.js'
export type { ScheduledList, ScheduledMessage, ScheduledOptions } from './log/later/scheduled-list.js'
export {
  type BackupOptions,
  type ConnectOptions,
  connect,
  type Log,
  open,
  type QueueOptions,
  type TopicOptions,
} from './log/log.js'
export type { ChunksOptions, MessageStream } from './log/message-stream.js'
export type { OpenOptions } from './log/options.js'
export type { LimiterOptions, ProcessOptions, Processor } from './log/processor-options.js'
export type { Producer } from './log/producer.js'
export type { DelayedPushOptions, PopOptions, PushOptions, Queue, RepeatedPushOptions } from './log/queue.js'
export type { EntriesOptions, GroupOptions, ReadOptions, ScanOptions, Topic } from './log/topic.js'
export type { Transaction, TransactionAppendOptions, TransactionOptions } from './log/transaction.js'
export type { FunctionContext, MessageHandler } from './log/work/function-call.js'
export { bytes, type Codec, type JsonCodec, json, text } from './messages/codec.js'
export { encrypted, type KeyRing, type KeyStore } from './messages/encrypted.js'
export type { JsonMessage, Message, PlainMessage } from './messages/message.js'
export type { MessageBatch } from './messages/message-batch.js'
export type { DiskWatermarks } from './storage/life/retention.js'
export type { AppendTrace, ConsumeTrace, FlushTrace, ProcessTrace, ReadTrace } from './tracing.js'
