import { BookendError } from '../errors.js'

/** `locked`: another process owns the log. */
export const exitStatus = { ok: 0, failed: 1, nothingFound: 1, usage: 2, locked: 3, interrupted: 130 } as const

/** An error in the form in which the command shows it. */
export class Failure extends Error {
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }

  /** @param failed status of a failure that has none of its own */
  static from(error: unknown, failed: number = exitStatus.failed): Failure {
    if (error instanceof Failure) return error
    if (error instanceof BookendError) {
      const status = error.code === 'BOOKEND_LOCKED' ? exitStatus.locked : failed
      return new Failure(`${error.message} (${error.code})`, status)
    }
    // System errors name call and path; anything else is a mistake of ours, and its stack helps to find it.
    if (error instanceof Error) {
      return new Failure('code' in error ? error.message : (error.stack ?? error.message), failed)
    }
    return new Failure(String(error), failed)
  }
}
