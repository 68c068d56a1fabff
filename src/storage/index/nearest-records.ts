/** The records nearest to one that is lost: those that an index knows to be lost have no place, and are passed over. */
import { segmentHeaderBytes } from '../../format/segment-layout.js'
import type { Catalog } from './catalog.js'
import type { Place } from './stored-entries.js'

/** A record, and where it stands. */
export interface PlacedRecord {
  offset: number
  place: Place
}

/** How many entries of an index are looked at in one go. */
const placesALook = 1024

export class NearestRecords {
  readonly #catalog: Catalog

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /**
   * The first record behind `offset` that has a place.
   * @param but not those in this segment
   */
  behind(topic: number, offset: number, but?: number): PlacedRecord | undefined {
    for (const { segment, first, end } of this.#catalog.stretches(topic, offset + 1, Number.MAX_SAFE_INTEGER)) {
      if (segment === but) continue
      for (let at = first, places: Place[]; at < end; at += places.length) {
        places = this.#placesOrUnknown(topic, at, Math.min(placesALook, end - at), segment)
        const index = places.findIndex(({ batch }) => batch !== 0)
        if (index >= 0) return { offset: at + index, place: places[index] }
        if (places.length === 0) break
      }
    }
    return undefined
  }

  /** The last record below `offset` that has a place. */
  before(topic: number, offset: number): PlacedRecord | undefined {
    for (const { segment, first, end } of this.#catalog.stretches(topic, 0, offset).reverse()) {
      for (let to = end, at: number; to > first; to = at) {
        at = Math.max(first, to - placesALook)
        const places = this.#placesOrUnknown(topic, at, to - at, segment)
        const index = places.findLastIndex(({ batch }) => batch !== 0)
        if (index >= 0) return { offset: at + index, place: places[index] }
      }
    }
    return undefined
  }

  /** Where the index cannot be read now, the record may be there, somewhere in its segment. */
  #placesOrUnknown(topic: number, offset: number, count: number, segment: number): Place[] {
    try {
      return this.#catalog.locateRun(topic, offset, count)
    } catch {
      return [{ segment, batch: segmentHeaderBytes, frame: 0 }]
    }
  }
}
