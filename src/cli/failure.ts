import { BookendError } from '../errors.js'

export const exitStatus = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** An error in the form in which the command shows it. */
export class Failure extends Error {
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }

  static from(error: unknown): Failure {
    if (error instanceof Failure) return error
    if (error instanceof BookendError) return new Failure(`${error.message} (${error.code})`, exitStatus.failed)
    // System errors name call and path; anything else is a mistake of ours, and its stack helps to find it.
    if (error instanceof Error) {
      return new Failure('code' in error ? error.message : (error.stack ?? error.message), exitStatus.failed)
    }
    return new Failure(String(error), exitStatus.failed)
  }
}
