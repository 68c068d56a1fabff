/** What a log knows of a topic between two runs; all of it can be derived from the batches. */
export interface TopicState {
  id: number
  name: string
  /** Offset of the next append. */
  next: number
  /** First readable offset; below it everything was trimmed. */
  first: number
  /** Last segment that declares the topic: while it exists, a scan of the log finds name and offsets. */
  declaredIn: number
}

/** Where appending goes on. */
export interface TailState {
  segment: number
  /** End of the last batch, relative to the segment. */
  relative: number
  /** What the segment's index will need room for. */
  records: number
  topics: number
  nameBytes: number
  /** Time of the last batch: times never decrease. */
  time: number
}
