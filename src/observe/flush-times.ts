/**
 * How long flushes take, of the logs that somebody looks at: one subscription of `bookend:flush` for all of them. What a log's metrics hold is
 * forgotten with the log.
 */
import diagnostics from 'node:diagnostics_channel'

/** As the reaper tells it: see log-events.ts. */
interface FlushEvent {
  readonly directory: string
  readonly micros: number
}

type Observe = (seconds: number) => void

const observers = new Map<string, WeakRef<Observe>>()
const forgotten = new FinalizationRegistry<string>((place) => {
  if (observers.get(place)?.deref() === undefined) observers.delete(place)
  if (observers.size === 0) diagnostics.unsubscribe('bookend:flush', hear)
})

function hear(message: unknown): void {
  const { directory, micros } = message as FlushEvent
  observers.get(directory)?.deref()?.(micros / 1e6)
}

/** @param observe is called for each flush of the log at `place`, for as long as the caller keeps it */
export function observeFlushes(place: string, observe: Observe): void {
  if (observers.size === 0) diagnostics.subscribe('bookend:flush', hear)
  observers.set(place, new WeakRef(observe))
  forgotten.register(observe, place)
}
