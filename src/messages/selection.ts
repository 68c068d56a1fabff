/** Which messages are wanted, for whoever looks through them. */
import type { Filter } from '../engine/terms.js'
import type { RecordPlace } from './chunk-cursor.js'
import { HeaderMatcher } from './header-matcher.js'
import { type OffsetBits, OffsetSet } from './offset-set.js'

/** As it is handed to other threads: one of the two, or none where all are wanted. */
export interface SelectionTerms {
  readonly filter?: Filter | undefined
  readonly only?: OffsetBits | undefined
}

export interface RecordSelection extends SelectionTerms {
  /** @param place of the record: a cursor that stands on it will do */
  matches(place: RecordPlace): boolean
}

/** Undefined: all are wanted. */
export function selectionOf({ filter, only }: SelectionTerms): RecordSelection | undefined {
  return only === undefined ? filter && new HeaderMatcher(filter) : new OffsetSet(only)
}
