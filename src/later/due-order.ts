/**
 * The order in which scheduled messages are delivered: by the time at which they are due, then by their numbers. A message and its cancellation have the same place in it,
 * and so has a copy of the message, wherever the records stand: what meets at one place is one message.
 */

/** A place in the order. */
export interface DuePlace {
  /** Ms since the epoch. */
  readonly order: number
  readonly id: number
}

/** A record of `.later` in its place. */
export interface DueEntry extends DuePlace {
  /** When it is due: its `order`, or before that. */
  readonly due: number
  /** Offset of the record. */
  readonly at: number
  readonly isCancel: boolean
}

/** Before everything. */
export const dueStart: DuePlace = { order: -1, id: -1 }

export function isBefore(a: DuePlace, b: DuePlace): boolean {
  return a.order < b.order || (a.order === b.order && a.id < b.id)
}

export function isSamePlace(a: DuePlace, b: DuePlace): boolean {
  return a.order === b.order && a.id === b.id
}

/**
 * A message that was scheduled for a time up to which others are delivered already stands behind them in the order, and yet is due: it is delivered
 * out of turn, with its cancellation, which the order meets later.
 */
export function isOutOfTurn({ due, order }: DueEntry): boolean {
  return due < order
}

export function comparePlaces(a: DuePlace, b: DuePlace): number {
  return a.order - b.order || a.id - b.id
}
