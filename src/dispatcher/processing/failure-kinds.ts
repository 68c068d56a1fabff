/** What kind of failure an error is to a processor. */
import { BookendError, type ErrorCode } from '../../errors.js'

export function hasCode(error: unknown, code: ErrorCode): error is BookendError {
  return error instanceof BookendError && error.code === code
}

/** The log closes. */
export function isClosed(error: unknown): boolean {
  return hasCode(error, 'BOOKEND_CLOSED')
}
