/** What is asked of whoever reads a topic, and the form in which it comes. */

export interface ReadRequest {
  topic: number
  /** First record wanted; must be at or above the topic's first readable offset. */
  offset: number
  /** End of the range, exclusive; at most the topic's next offset. */
  to: number
  /** Where the last chunk of the same reader ended, if there was one. */
  resume?: Resume | undefined
}

/** Opaque to the caller: goes back with the next request. */
export interface Resume {
  position: number
  isSparse: boolean
}

export interface Chunk {
  /** Batches back to back; the first may begin with records below the offset asked for. */
  bytes: Uint8Array<ArrayBuffer>
  /** Offset behind the last record in the chunk. */
  next: number
  resume: Resume
}

/** A chunk in place: as it stands in the log, batches and frames of other topics among its own. */
export interface HeldChunk extends Chunk {
  /** Once, when the bytes are no longer needed: until then their segment stays mapped, and is not deleted. */
  release(): void
}

/** Below this share of a chunk a topic counts as sparse, and the index is used instead of reading everything. */
export const sparseShare = 1 / 8
