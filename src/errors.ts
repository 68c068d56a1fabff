/** Every code is a heading in docs/errors.md. Codes do not change between major versions; messages may. */
export const errorCodes = [
  'BOOKEND_CLOSED',
  'BOOKEND_LOCKED',
  'BOOKEND_TOO_LARGE',
  'BOOKEND_NO_SPACE',
  'BOOKEND_CORRUPT',
  'BOOKEND_FORMAT',
  'BOOKEND_IO',
  'BOOKEND_WORKER',
  'BOOKEND_HANDLER',
  'BOOKEND_READ_ONLY',
  'BOOKEND_TRIMMED',
  'BOOKEND_DECODE',
  'BOOKEND_UNSUPPORTED',
  'BOOKEND_DISCONNECTED',
  'BOOKEND_CONFLICT',
] as const

/** What has failed; docs/errors.md says of each when it comes and what to do. */
export type ErrorCode = (typeof errorCodes)[number]

/** Where an error happened, as far as it is known. */
export interface ErrorDetails {
  /** `BOOKEND_CORRUPT`, `BOOKEND_DECODE`, `BOOKEND_TRIMMED`: the topic that was read. `BOOKEND_CONFLICT`: that of the append. */
  topic?: string
  /** `BOOKEND_CORRUPT`: the first offset that cannot be delivered. `BOOKEND_DECODE`: that of the message. */
  offset?: number
  /** `BOOKEND_CORRUPT`: the first offset after the damage that can be read again, where it is known. */
  next?: number
  /** `BOOKEND_CORRUPT`: byte position of the damage in the commit log. */
  position?: number
  /** `BOOKEND_CORRUPT`, `BOOKEND_FORMAT`, `BOOKEND_IO`: path of the file. */
  file?: string
  /** `BOOKEND_TRIMMED`: the oldest offset that can be read. */
  first?: number
  /** `BOOKEND_CONFLICT`: the register that the condition was about. */
  register?: string
  /** `BOOKEND_CONFLICT`: what the condition asked for; of a key's version also `none` and `exists`. */
  expected?: number | 'none' | 'exists'
  /** `BOOKEND_CONFLICT`: what was there instead; `none`: no message with that key. */
  actual?: number | 'none'
}

const brand = Symbol.for('bookend.error')

/**
 * What every failure of the library is. The caller's own mistakes (a wrong type, a negative offset, a bad name) are
 * `TypeError` or `RangeError` without a code instead.
 *
 * `instanceof` recognises errors that crossed a thread or come from a second copy of the package.
 */
export class BookendError extends Error {
  /** Always `BookendError`. */
  override readonly name = 'BookendError'
  /** What has failed. Compare this, not the message. */
  readonly code: ErrorCode
  /** See {@link ErrorDetails.topic}. */
  declare readonly topic?: string
  /** See {@link ErrorDetails.offset}. */
  declare readonly offset?: number
  /** See {@link ErrorDetails.next}. */
  declare readonly next?: number
  /** See {@link ErrorDetails.position}. */
  declare readonly position?: number
  /** See {@link ErrorDetails.file}. */
  declare readonly file?: string
  /** See {@link ErrorDetails.first}. */
  declare readonly first?: number
  /** See {@link ErrorDetails.register}. */
  declare readonly register?: string
  /** See {@link ErrorDetails.expected}. */
  declare readonly expected?: number | 'none' | 'exists'
  /** See {@link ErrorDetails.actual}. */
  declare readonly actual?: number | 'none'

  constructor(code: ErrorCode, message: string, details: ErrorDetails & { cause?: unknown } = {}) {
    const { cause, ...rest } = details
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    Object.defineProperty(this, brand, { value: true })
    Object.assign(this, rest)
  }

  /** Whether that is an error of Bookend, of whatever thread or copy of the package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value
  }
}

/** A plain form of any thrown value that survives structured cloning with its code, details and cause. */
export interface PortableError {
  name: string
  message: string
  stack?: string
  code?: unknown
  errno?: unknown
  details?: ErrorDetails
  cause?: PortableError
  isBookend: boolean
}

export function toPortable(thrown: unknown, depth = 0): PortableError {
  if (!(thrown instanceof Error)) return { name: 'Error', message: String(thrown), isBookend: false }
  const {
    name,
    message,
    stack,
    cause,
    code,
    errno,
    topic,
    offset,
    next,
    position,
    file,
    first,
    register,
    expected,
    actual,
  } = thrown as BookendError & { errno?: unknown }
  const isBookend = thrown instanceof BookendError
  return {
    name,
    message,
    stack,
    code,
    errno,
    isBookend,
    details: isBookend ? { topic, offset, next, position, file, first, register, expected, actual } : undefined,
    cause: cause === undefined || depth > 4 ? undefined : toPortable(cause, depth + 1),
  }
}

export function fromPortable(portable: PortableError): Error {
  const cause = portable.cause === undefined ? undefined : fromPortable(portable.cause)
  let error: Error
  if (portable.isBookend) {
    error = new BookendError(portable.code as ErrorCode, portable.message, { ...definedOnly(portable.details), cause })
  } else {
    const Class = portable.name === 'TypeError' ? TypeError : portable.name === 'RangeError' ? RangeError : Error
    error = new Class(portable.message, cause === undefined ? undefined : { cause })
    if (error.name !== portable.name) Object.defineProperty(error, 'name', { value: portable.name, configurable: true })
    if (portable.code !== undefined) Object.assign(error, { code: portable.code })
    if (portable.errno !== undefined) Object.assign(error, { errno: portable.errno })
  }
  if (portable.stack !== undefined) error.stack = portable.stack
  return error
}

function definedOnly(details: ErrorDetails | undefined): ErrorDetails {
  return Object.fromEntries(Object.entries(details ?? {}).filter(([, value]) => value !== undefined))
}

/** True if the thread that was to do it has ended, and not the work itself failed. */
export function isThreadDeath(error: unknown): error is BookendError {
  return error instanceof BookendError && error.code === 'BOOKEND_WORKER'
}

/** An invariant of the library itself. A failure is a bug, and stops what it guards before it can do harm. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`Bookend invariant broken: ${invariant}`)
}
