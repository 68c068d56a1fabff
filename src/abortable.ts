/** Who waits under a signal: one listener a signal, not one a call, since thousands of appends may share it. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>()

function waitersOf(signal: AbortSignal): Set<() => void> {
  let waiters = waiting.get(signal)
  if (waiters === undefined) {
    const made = new Set<() => void>()
    const abortAll = () => {
      for (const abort of made) abort()
    }
    signal.addEventListener('abort', abortAll, { once: true })
    waiting.set(signal, made)
    waiters = made
  }
  return waiters
}

/** Calls back when the signal aborts. @returns what forgets about it: call it as soon as nothing is waited for any more */
export function whenAborted(signal: AbortSignal | undefined, abort: () => void): () => void {
  if (signal === undefined) return nothingToForget
  const waiters = waitersOf(signal)
  waiters.add(abort)
  return () => waiters.delete(abort)
}

const nothingToForget = (): void => {}

/** Waiting for a promise that an AbortSignal may end early. The work itself goes on; only the waiting stops. */
export function abortable<T>(signal: AbortSignal | undefined, promise: Promise<T>): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    promise.then(resolve, reject).finally(whenAborted(signal, onAbort))
  })
}
