/**
 * What is there from a position on, as the body of a response: chunks of the log, each read when the one before has been taken, into its memory: a connection that is slow holds one of them, or a
 * few that reader threads had at hand, however long the response is. Where it ends is said in its head, before all of it is read: exactly, if that is in the first chunk, and else by the length of the messages there.
 */
import type { ReplyBody } from './exchange.js'
import { type JoinedValues, joined } from './joined-values.js'
import { type StreamStretch, stretches, unknownBytes } from './parts.js'
import type { StreamState } from './stream-state.js'
import type { Streams } from './streams.js'

export interface CatchUp {
  /** Position behind its last message. */
  readonly next: number
  /** As {@link ReplyBody}: a piece is good until the next one is asked for. */
  readonly body: ReplyBody
}

type Batches = ReturnType<typeof batchesOf>

const encoder = new TextEncoder()

/**
 * @param end of the stream
 * @param maxBytes exact in the first chunk (256 KiB); behind it what follows may be longer than the messages there
 * @throws what reading the first chunk does: what fails behind it fails with the body
 */
export async function catchUp(
  streams: Streams,
  stream: StreamState,
  position: number,
  end: number,
  maxBytes: number,
): Promise<CatchUp> {
  const { isJson } = stream
  const found = stretches(streams, stream, position, end)
  const [stretch] = found
  if (stretch === undefined) return { next: position, body: encoder.encode(isJson ? '[]' : '') }
  const { owner } = stretch
  // To its end, though it may be more than fits: how much that is, the first chunk tells. A guess would make a short response, and there are clients that ask for one only.
  const batches = batchesOf(streams, stretch)
  const begun = await batches.next()
  const first = begun.done ? undefined : joined(begun.value, isJson, true, stretch.to, maxBytes)
  if (first?.isCut) {
    void batches.return?.()
    return { next: owner.positionOf(first.next), body: first.piece(true) }
  }
  const planned = planOf(found, first, maxBytes)
  const { owner: last, to } = planned[planned.length - 1] as StreamStretch
  const next = last.positionOf(to)
  if (first !== undefined && owner.positionOf(first.next) === next) {
    if (first.next < stretch.to) void batches.return?.()
    return { next, body: first.piece(true) }
  }
  return { next, body: pieces(streams, isJson, planned, batches, first) }
}

/** @param first its first messages; undefined: there are none to be had */
function planOf(found: readonly StreamStretch[], first: JoinedValues | undefined, maxBytes: number): StreamStretch[] {
  const planned: StreamStretch[] = []
  let room = maxBytes
  for (const stretch of found) {
    const { owner, from } = stretch
    if (planned.length === 0 && first !== undefined) owner.messageBytes = Math.max(1, first.bytes / first.count)
    const each = owner.messageBytes ?? unknownBytes
    const least = planned.length > 0 ? 0 : first === undefined ? 1 : first.next - from
    const count = Math.max(least, Math.floor(room / each))
    if (count === 0) break
    // Whoever asks for the same is to be answered the same, though the average is another a little.
    const to = from + count >= stretch.to ? stretch.to : from + Math.max(least, 2 ** Math.floor(Math.log2(count)))
    planned.push({ owner, from, to })
    if (to < stretch.to) break
    room -= (to - from) * each
  }
  return planned
}

async function* pieces(
  streams: Streams,
  isJson: boolean,
  planned: readonly StreamStretch[],
  begun: Batches,
  first: JoinedValues | undefined,
): AsyncGenerator<Uint8Array> {
  if (first !== undefined) yield first.piece(false)
  let isFirst = first === undefined
  let isClosed = false
  for (const stretch of planned) {
    const isLast = stretch === planned[planned.length - 1]
    for await (const batch of stretch === planned[0] ? begun : batchesOf(streams, stretch)) {
      const values = joined(batch, isJson, isFirst, stretch.to)
      if (values.count > 0) {
        isFirst = false
        isClosed = isLast && values.next === stretch.to
        yield values.piece(isClosed)
      }
      // It is read beyond where the response ends, and what stood there may have expired.
      if (values.isCut || values.next >= stretch.to) break
    }
  }
  // The last ones have expired.
  if (isJson && !isClosed) yield encoder.encode(isFirst ? '[]' : ']')
}

function batchesOf(streams: Streams, { owner, from, to }: StreamStretch) {
  return streams.topics.topic(owner.topic).read({ from, to }).chunks({ borrowed: true })
}
