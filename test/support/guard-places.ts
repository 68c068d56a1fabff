/** Where the guards of a group stand in a ring, one behind the other. */
import { frameBytes, frameWord } from '../../src/format/frame-layout.js'

export function guardPlaces(words: Uint32Array, at: number, count: number): number[] {
  const places: number[] = []
  for (let next = at; places.length < count; next += frameBytes(words[(next >>> 2) + frameWord.length]))
    places.push(next)
  return places
}
