/** What becomes of errors: what the client did is said to it, what happened here is not. */
import diagnostics from 'node:diagnostics_channel'
import { BookendError } from '../errors.js'
import { HttpError } from './exchange.js'

const errors = diagnostics.channel('bookend:error')
const again = { 'retry-after': '1' }

export function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error
  if (error instanceof BookendError) {
    switch (error.code) {
      case 'BOOKEND_TRIMMED':
        return new HttpError(410, 'what is asked for was deleted')
      case 'BOOKEND_TOO_LARGE':
        return new HttpError(413, 'the log does not take so much at once')
      case 'BOOKEND_CONFLICT':
        return new HttpError(409, 'somebody else was faster: try again')
      case 'BOOKEND_READ_ONLY':
        return new HttpError(405, 'nothing is written here', { allow: 'GET, HEAD' })
      case 'BOOKEND_NO_SPACE':
        tell(error)
        return new HttpError(503, 'there is no space at the moment', { 'retry-after': '10' })
      case 'BOOKEND_CLOSED':
        return new HttpError(503, 'the server is about to end', again)
    }
  }
  tell(error)
  return new HttpError(500, 'the server has failed at this request')
}

function tell(error: unknown): void {
  if (!errors.hasSubscribers) return
  const code = error instanceof BookendError ? error.code : 'BOOKEND_IO'
  errors.publish({
    code,
    message: `a request failed: ${error instanceof Error ? error.message : String(error)}`,
    error,
  })
}
