/** Which conditions of a lone message its own frame can say: see format/frame-layout.ts. All others are said by a guard in front of it. */
import type { Extras } from '../../engine/terms.js'
import { frameFlag } from '../../format/frame-layout.js'
import type { Guard } from '../../format/guard-layout.js'

/** In place of flags: there are none, or a guard has to say them. */
export const noConditions = 0
/** Frames have 48 bits for them. */
const offsetsEnd = 2 ** 48

/** As flags of its frame. */
export function ownConditionsOf(guard: Guard, extras: Extras | undefined): number {
  const { expectedOffset, id, isIdNew, ahead, below, unchanged } = guard
  const isOther = isIdNew !== undefined || ahead !== undefined || below !== undefined || unchanged !== undefined
  // The field of a frame has fewer bits than offsets may have; and an id is looked for where such headers have it.
  if (isOther || (expectedOffset ?? 0) >= offsetsEnd || (id !== undefined && id.text !== extras?.plainId))
    return noConditions
  return (
    (expectedOffset === undefined ? noConditions : frameFlag.expects) |
    (id === undefined ? noConditions : frameFlag.named)
  )
}

/** Of the conditions that there are. */
export function isOffsetAlone(guard: Guard): boolean {
  return ownConditionsOf(guard, undefined) === frameFlag.expects
}
