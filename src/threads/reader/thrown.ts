/** What the code of an application has thrown, told so that it can travel. */
import { type PortableError, toPortable } from '../../errors.js'

/** Anything can be thrown: what cannot be told, or cannot travel, must not end the thread. */
export function portable(thrown: unknown): PortableError {
  try {
    const error = toPortable(thrown)
    structuredClone(error)
    return error
  } catch {
    return { name: 'Error', message: describe(thrown), isBookend: false }
  }
}

export function describe(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
  } catch {
    return 'something that cannot be told as text was thrown'
  }
}
