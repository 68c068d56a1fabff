/**
 * The place that the writer goes on to: the files of the next segments, whole and durable before it learns of them, and blocks
 * ahead of where it stores, in steps.
 *
 * A store into a mapped page without a block is a SIGBUS once the disk is full, so the writer keeps in front of `allocated`, and
 * says in `blocksWanted` how far it has to go where that is not far enough. Ahead of a writer in no hurry go
 * {@link allocateAheadBytes}, ahead of a fast one whole segments. A segment that is left has all of its blocks: its index finds
 * its place at the back.
 */
import { allocateAheadBytes, allocateQuietMs, allocateRetryMs, blockStepBytes, preparedSegments } from '../../limits.js'
import type { SystemCalls } from '../../memory/memory.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { TailState } from '../../storage/append/topic-state.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import { errnoOf, isBug } from '../device-error.js'
import type { ReaperEvent } from './reaper-event.js'

export interface SegmentMakerParts {
  state: SharedState<'reaper'>
  files: SegmentFiles
  calls: SystemCalls
  epoch: number
  /** The time that a segment is made at. */
  now(): number
  nowMs(): number
  emit(event: ReaperEvent): void
}

/**
 * What the writer has to find before its first append: the file of the segment it goes on in. An empty log gets its first blocks
 * with it, so on a full disk this is where opening fails; another log is opened, and waits for space when it is appended to.
 */
export function prepareTail(
  parts: Pick<SegmentMakerParts, 'state' | 'files' | 'calls' | 'epoch' | 'now'>,
  tail: TailState,
): void {
  const { state, files, calls, epoch, now } = parts
  const { segment, relative } = tail
  const base = files.base(segment)
  // Which blocks an existing segment has nobody knows: those that are there are allocated again, which costs nothing.
  const from = relative - (relative % blockStepBytes)
  const to = Math.min(from + blockStepBytes, files.segmentBytes)
  state.allocated.store(base + from)
  if (state.prepared.load() < segment) {
    files.create(segment, epoch, now(), calls, to)
    state.prepared.store(segment)
  } else {
    try {
      files.allocate(segment, from, to, calls)
    } catch (error) {
      if (isBug(error)) throw error
      // The reaper asks again, and says so.
      return
    }
  }
  state.allocated.store(base + to)
}

export class SegmentMaker {
  readonly #parts: SegmentMakerParts
  #aheadBytes = 0
  #lastTryMs = Number.NEGATIVE_INFINITY
  #lastStepMs = Number.NEGATIVE_INFINITY

  constructor(parts: SegmentMakerParts) {
    this.#parts = parts
  }

  tend(): void {
    const { state, nowMs, emit } = this.#parts
    const known = state.allocateErrno.load()
    if (state.reaperErrno.load() !== 0 || (known !== 0 && nowMs() - this.#lastTryMs < allocateRetryMs)) return
    this.#lastTryMs = nowMs()
    try {
      this.#allocateAhead(known === 0)
      this.#makeNext()
      if (known !== 0) state.allocateErrno.store(0)
    } catch (error) {
      if (isBug(error)) throw error
      const { errno, code } = errnoOf(error)
      // The same trouble is reported once, not every time it is asked about.
      if (known !== errno) emit({ type: 'error', what: 'allocating a segment', code, errno })
      state.allocateErrno.store(errno)
      state.writer.ring()
    }
  }

  /** @throws the error of the call that leaves the writer with too little in front of it */
  #allocateAhead(mayGrow: boolean): void {
    if (!this.#isDue()) return
    this.#pace(mayGrow)
    const { state } = this.#parts
    try {
      this.#allocateTo(this.#end())
    } catch (error) {
      if (isBug(error)) throw error
      // The disk may have what is needed next: step by step it is found out how much there is.
      this.#aheadBytes = this.#leastBytes
      while (this.#isDue()) if (!this.#allocateTo(state.allocated.load() + blockStepBytes)) return
    }
  }

  /** Half of what is to be ahead of the writer is used up, or the writer waits for more. */
  #isDue(): boolean {
    const { state } = this.#parts
    const allocated = state.allocated.load()
    const aheadBytes = Math.max(this.#aheadBytes, this.#leastBytes)
    return allocated - state.published.load() <= aheadBytes / 2 || allocated < state.blocksWanted.load()
  }

  #end(): number {
    const { state, files } = this.#parts
    // It is rounded up to a step, and half of it is to be what the writer takes for half of what it found.
    const end = state.published.load() + this.#aheadBytes - Math.min(blockStepBytes, files.segmentBytes) + 1
    return Math.max(end, state.blocksWanted.load())
  }

  get #leastBytes(): number {
    return Math.min(allocateAheadBytes, this.#mostBytes)
  }

  get #mostBytes(): number {
    return preparedSegments * this.#parts.files.segmentBytes
  }

  /** What lasted for a short while only is doubled, what lasted long is halved. */
  #pace(mayGrow: boolean): void {
    const nowMs = this.#parts.nowMs()
    const isSoon = mayGrow && nowMs - this.#lastStepMs < allocateQuietMs
    this.#lastStepMs = nowMs
    const next = isSoon ? this.#aheadBytes * 2 : this.#aheadBytes / 2
    this.#aheadBytes = Math.min(Math.max(next, this.#leastBytes), this.#mostBytes)
  }

  /** In pieces, one a segment. False: no file has room for more yet. */
  #allocateTo(position: number): boolean {
    const { state, files, calls } = this.#parts
    const from = state.allocated.load()
    const end = Math.min(position, files.base(state.prepared.load() + 1))
    for (let at = from; at < end; ) {
      const segment = files.segmentOf(at)
      const base = files.base(segment)
      const wanted = Math.min(end - base, files.segmentBytes)
      const to = Math.min(Math.ceil(wanted / blockStepBytes) * blockStepBytes, files.segmentBytes)
      files.allocate(segment, at - base, to, calls)
      at = base + to
      state.allocated.store(at)
      // Who waits may have looked before and not be asleep yet.
      if (state.blocksWanted.load() > from) state.writer.ring()
      else state.writer.ringIfAsleep()
    }
    return end > from
  }

  /** One file a turn: in between, flushing goes on. */
  #makeNext(): void {
    const { state, files, calls, epoch, now, emit } = this.#parts
    const next = state.prepared.load() + 1
    const active = state.activeSegment.load()
    if (next > active + preparedSegments) return
    try {
      files.create(next, epoch, now(), calls, 0)
    } catch (error) {
      // Spare files are made when they can be; only a writer without any is out of space.
      if (next > active + 1) return
      throw error
    }
    state.prepared.store(next)
    emit({ type: 'prepared', segment: next })
    state.reaper.ring()
  }
}
