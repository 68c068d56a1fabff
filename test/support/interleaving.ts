/**
 * Another thread's step at every place where one could come, in one thread: behind each touch of a shared word. What a loop or a writer
 * does wrong in the face of that is found, whatever the place, and found again.
 */

const { load, store, add, or, and, exchange, compareExchange, wait, waitAsync } = Atomics

interface Touching {
  /** Behind a load or a store of a shared word. What it does itself is not told. */
  touched(kind: 'load' | 'store'): void
  /** In the place of a sleep: the word is still what it was when it was looked at. */
  sleeps(): never
}

/** No run that ends comes near to it. */
const mostTouches = 1_000_000

/** @throws where it goes on for ever */
async function withTouches<R>({ touched, sleeps }: Touching, run: () => R | Promise<R>): Promise<R> {
  let isInside = false
  let touches = 0
  const tell = (kind: 'load' | 'store'): void => {
    if (isInside) return
    touches += 1
    if (touches > mostTouches) throw new Error(`it goes on for ever: ${mostTouches} touches of shared words`)
    isInside = true
    try {
      touched(kind)
    } finally {
      isInside = false
    }
  }
  const sleep = (words: Int32Array, index: number, token: number): 'not-equal' => {
    if (load(words, index) === token) sleeps()
    return 'not-equal'
  }
  Object.assign(Atomics, {
    load(words: Int32Array, index: number): number {
      const seen = load(words, index)
      tell('load')
      return seen
    },
    store(words: Int32Array, index: number, value: number): number {
      store(words, index, value)
      tell('store')
      return value
    },
    add(words: Int32Array, index: number, value: number): number {
      const before = add(words, index, value)
      tell('store')
      return before
    },
    or(words: Int32Array, index: number, bits: number): number {
      const before = or(words, index, bits)
      tell('store')
      return before
    },
    and(words: Int32Array, index: number, bits: number): number {
      const before = and(words, index, bits)
      tell('store')
      return before
    },
    exchange(words: Int32Array, index: number, value: number): number {
      const before = exchange(words, index, value)
      tell('store')
      return before
    },
    compareExchange(words: Int32Array, index: number, expected: number, value: number): number {
      const before = compareExchange(words, index, expected, value)
      tell('store')
      return before
    },
    wait: sleep,
    waitAsync: (words: Int32Array, index: number, token: number) => ({
      async: false,
      value: sleep(words, index, token),
    }),
  })
  try {
    return await run()
  } finally {
    Object.assign(Atomics, { load, store, add, or, and, exchange, compareExchange, wait, waitAsync })
  }
}

/** Runs something that does not sleep, with a look at the shared memory behind each of its stores. */
export function behindEveryStore(look: () => void, run: () => void): Promise<void> {
  const touched = (kind: 'load' | 'store') => (kind === 'store' ? look() : undefined)
  const sleeps = () => {
    throw new Error('this is not to sleep')
  }
  return withTouches({ touched, sleeps }, run)
}

/** Runs something that does not sleep, with another thread's step behind each of its touches of shared memory. */
export function behindEveryTouch(step: () => void, run: () => void): Promise<void> {
  const sleeps = () => {
    throw new Error('this is not to sleep')
  }
  return withTouches({ touched: step, sleeps }, run)
}

/** Ends a loop that would sleep otherwise. */
class Asleep extends Error {}

export interface Racing {
  /** Runs the loop until it sleeps: it throws then. */
  run(): Promise<void>
  /** What the other thread does. */
  happen(): void
  /** True if the loop has seen to it. */
  isSeenTo(): boolean
}

/**
 * Lets it happen behind the n-th touch of a shared word, for n from 1 until the loop sleeps before that.
 * @returns at how many places it was tried, and at which of them the loop went to sleep over it
 */
export async function tryEveryPlace(
  prepare: () => Racing | Promise<Racing>,
): Promise<{ places: number; sleptOver: number[] }> {
  const sleptOver: number[] = []
  for (let place = 1; ; place++) {
    const racing = await prepare()
    let touches = 0
    const touched = () => {
      touches += 1
      if (touches === place) racing.happen()
    }
    const sleeps = () => {
      throw new Asleep()
    }
    try {
      await withTouches({ touched, sleeps }, racing.run)
      throw new Error('the loop ended instead of sleeping')
    } catch (error) {
      if (!(error instanceof Asleep)) throw error
    }
    if (touches < place) return { places: place - 1, sleptOver }
    if (!racing.isSeenTo()) sleptOver.push(place)
  }
}
