/**
 * Another thread's step at every place where one could come: behind the n-th time that a loop touches a shared word, for n from 1 until
 * the loop sleeps before that. A loop that goes to sleep on what has come meanwhile is caught, whatever the place.
 */
import { vi } from 'vitest'

/** Ends a loop that would sleep otherwise. */
class Asleep extends Error {}

interface Racing {
  /** Runs the loop until it sleeps: it throws then. */
  run(): Promise<void>
  /** What the other thread does. */
  happen(): void
  /** True if the loop has seen to it. */
  isSeenTo(): boolean
}

/** @returns at how many places it was tried, and at which of them the loop went to sleep over it */
export async function tryEveryPlace(
  prepare: () => Racing | Promise<Racing>,
): Promise<{ places: number; sleptOver: number[] }> {
  const sleptOver: number[] = []
  for (let place = 1; ; place++) {
    const racing = await prepare()
    let touches = 0
    let hasHappened = false
    const passBy = (): void => {
      if (hasHappened || ++touches < place) return
      hasHappened = true
      racing.happen()
    }
    const { load, store } = Atomics
    const sleep = (words: Int32Array, index: number, token: number): string => {
      if (load(words, index) === token) throw new Asleep()
      return 'not-equal'
    }
    const spies = [
      vi.spyOn(Atomics, 'load').mockImplementation(((words: Int32Array, index: number) => {
        const seen = load(words, index)
        passBy()
        return seen
      }) as never),
      vi.spyOn(Atomics, 'store').mockImplementation(((words: Int32Array, index: number, value: number) => {
        store(words, index, value)
        passBy()
        return value
      }) as never),
      vi.spyOn(Atomics, 'wait').mockImplementation(sleep as never),
      vi.spyOn(Atomics, 'waitAsync').mockImplementation(((words: Int32Array, index: number, token: number) => ({
        async: false,
        value: sleep(words, index, token),
      })) as never),
    ]
    try {
      await racing.run()
      throw new Error('the loop ended instead of sleeping')
    } catch (error) {
      if (!(error instanceof Asleep)) throw error
    } finally {
      for (const spy of spies) spy.mockRestore()
    }
    if (!hasHappened) return { places: place - 1, sleptOver }
    if (!racing.isSeenTo()) sleptOver.push(place)
  }
}
