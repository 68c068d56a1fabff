/** Where frames stand in a ring, one behind the other: the guards of a group, or its messages. */
import { frameBytes, frameWord } from '../../src/format/frame-layout.js'

export function framePlaces(words: Uint32Array, at: number, count: number): number[] {
  const places: number[] = []
  for (let next = at; places.length < count; next += frameBytes(words[(next >>> 2) + frameWord.length]))
    places.push(next)
  return places
}
