/** A sealed segment has another file now: who has the old one lets it go, and it is counted and told. */
import type { SharedState } from '../../ring/shared-state.js'
import type { PackedSize } from '../../storage/rewrite/segment-packing.js'
import { errnoOf, isBug } from '../device-error.js'
import type { ReaperEvent } from './reaper-event.js'
import type { RetireDuty } from './retire-duty.js'

export interface ReplacementsParts {
  state: SharedState<'reaper'>
  emit(event: ReaperEvent): void
}

export class Replacements {
  readonly #parts: ReplacementsParts
  readonly #retire: Pick<RetireDuty, 'segment'>

  constructor(parts: ReplacementsParts, retire: Pick<RetireDuty, 'segment'>) {
    this.#parts = parts
    this.#retire = retire
  }

  /** @param bytes that are gone */
  rewritten(segment: number, bytes: number): void {
    const { state, emit } = this.#parts
    state.rewrittenBytes.store(state.rewrittenBytes.load() + bytes)
    this.#replaced(segment)
    emit({ type: 'rewritten', segment })
  }

  packed(segment: number, { bytes, packedBytes }: PackedSize): void {
    const { state, emit } = this.#parts
    state.packs.store(state.packs.load() + 1)
    state.packedBytes.store(state.packedBytes.load() + bytes - packedBytes)
    this.#replaced(segment)
    emit({ type: 'packed', segment })
  }

  /** The old file stays: nothing is lost by that. */
  failed(what: string, error: unknown): void {
    if (isBug(error)) throw error
    this.#parts.emit({ type: 'error', what, ...errnoOf(error) })
  }

  #replaced(segment: number): void {
    const { state } = this.#parts
    // Whoever looks there through a mapping looks at the old file.
    this.#retire.segment(segment)
    state.rewrites.store(state.rewrites.load() + 1)
    // Who has the old file open without a mapping keeps its space.
    state.retirements.ring()
  }
}
