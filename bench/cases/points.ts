/** Where on its axes a case is measured, and with how many messages. */
import type { Point, Scale } from './bench-case.js'

/** Rate at which messages are due in the cases that go by the clock. */
export const pacedRate = 10_000
/** One lookup, or one awaited append, at a time: more would only take longer. */
export const mostOneByOne = 10_000
export const smallBytes = 100

export const countOf = (scale: Scale, messageBytes: number, most = Number.POSITIVE_INFINITY) =>
  Math.min(scale.messages ?? Math.ceil(scale.dataBytes / messageBytes), most)

/** One point a message size. */
export const bySize =
  (most?: number) =>
  (scale: Scale): Point[] =>
    scale.sizes.map((messageBytes) => ({ messageBytes, parameter: 0, messages: countOf(scale, messageBytes, most) }))

/** One point a parameter, all with small messages. */
export const byParameter =
  (quick: readonly number[], full: readonly number[], messages: (scale: Scale, parameter: number) => number) =>
  (scale: Scale): Point[] =>
    (scale.isFull ? full : quick).map((parameter) => ({
      messageBytes: smallBytes,
      parameter,
      messages: messages(scale, parameter),
    }))

export const small = (most?: number) => (scale: Scale) => countOf(scale, smallBytes, most)

export const atOnePoint =
  (most?: number) =>
  (scale: Scale): Point[] => [{ messageBytes: smallBytes, parameter: 0, messages: countOf(scale, smallBytes, most) }]
