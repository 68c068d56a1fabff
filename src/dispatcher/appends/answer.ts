/** A promise together with what settles it, for the price of the promise. */

/** What the caller of an append awaits, and how it is told. */
export interface Answer<T> {
  promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

// Of whatever promise was made last.
let resolveNew: (value: never) => void
let rejectNew: (error: unknown) => void
/** One for all promises, where one for each would be made and thrown away with every append. */
const takeSettlers = (resolve: (value: never) => void, reject: (error: unknown) => void) => {
  resolveNew = resolve
  rejectNew = reject
}

export function newAnswer<T>(): Answer<T> {
  const promise = new Promise<T>(takeSettlers)
  return { promise, resolve: resolveNew as (value: T) => void, reject: rejectNew }
}
