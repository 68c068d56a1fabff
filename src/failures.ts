/** Turning the numbers that workers leave in shared words into the errors that applications get. */
import os from 'node:os'
import type { ExpectedVersion, Filter } from './engine/terms.js'
import { BookendError, type ErrorDetails } from './errors.js'

/** In the place of an error number, which the kernel keeps below: another owner may have the log. See storage/files/ownership.ts. */
export const ownerLostErrno = 4096

function errnoName(errno: number): string {
  return Object.entries(os.constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`
}

function cause(errno: number): Error {
  return Object.assign(new Error(errnoName(errno)), { errno, code: errnoName(errno) })
}

const { ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE, ENOMEM } = os.constants.errno

/** No space: on the device, in the quota, or below the largest size of a file. Who frees some has mended it. */
export function isFull(errno: number): boolean {
  return errno === ENOSPC || errno === EDQUOT || errno === EFBIG
}

/** No descriptor left, in the process or on the machine. */
export function isOutOfDescriptors(errno: number): boolean {
  return errno === EMFILE || errno === ENFILE
}

/** What says nothing about the device, and may pass by itself: no space, or no descriptor and no memory for another window. */
export function mayPass(errno: number): boolean {
  return isFull(errno) || isOutOfDescriptors(errno) || errno === ENOMEM
}

/** No segment can be had, for lack of space or for another reason that may pass (no descriptor, no memory). */
export function noSpaceError(errno: number, directory: string, what = 'another segment'): BookendError {
  if (!isFull(errno)) {
    const message = `cannot make another segment in ${directory} (${errnoName(errno)}): appends work again by themselves when that is mended`
    return new BookendError('BOOKEND_IO', message, { cause: cause(errno) })
  }
  const message = `no space for ${what} in ${directory} (${errnoName(errno)}): free some, writing then works again by itself`
  return new BookendError('BOOKEND_NO_SPACE', message, { cause: cause(errno) })
}

export function deviceError(errno: number, directory: string): BookendError {
  if (errno === ownerLostErrno) return ownerLostError(directory)
  const message = `the device under ${directory} failed (${errnoName(errno)}): the log can be read, but takes no more appends until it is opened again`
  return new BookendError('BOOKEND_IO', message, { cause: cause(errno) })
}

/** A group cannot be made, removed or written. */
export function groupsError(errno: number, directory: string): BookendError {
  return isFull(errno) ? noSpaceError(errno, directory, 'the groups') : deviceError(errno, directory)
}

export function closedError(directory: string): BookendError {
  return new BookendError('BOOKEND_CLOSED', `the log in ${directory} is closed`)
}

export function readOnlyError(directory: string): BookendError {
  return new BookendError(
    'BOOKEND_READ_ONLY',
    `the log in ${directory} was opened with readOnly: open it without to write`,
  )
}

export function trimmedError(topic: string, offset: number, first: number): BookendError {
  const message = `offset ${offset} of topic "${topic}" has been trimmed away; reading can start at ${first}`
  return new BookendError('BOOKEND_TRIMMED', message, { topic, offset, first })
}

export function isTrimmed(error: unknown): boolean {
  return error instanceof BookendError && error.code === 'BOOKEND_TRIMMED'
}

/**
 * Without frames in its stack. Those would be of the loop that waits for the writer, and not of who has called; and to take them costs six times as much
 * as all else of a conflict, which may be what most calls come to.
 */
function conflict(message: string, details: ErrorDetails): BookendError {
  const limit = Error.stackTraceLimit
  // Not an assignment: where the property is frozen the frames are there, and all else as well.
  Reflect.set(Error, 'stackTraceLimit', 0)
  try {
    return new BookendError('BOOKEND_CONFLICT', message, details)
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit)
  }
}

/** The message is to get the offset `expected`, and its topic goes on at `actual`. */
export function conflictError(topic: string, expected: number, actual: number): BookendError {
  const what =
    actual > expected
      ? `others have appended since: read on from ${expected}, decide anew, and expect ${actual}`
      : 'there are no such messages to build on'
  const message = `topic "${topic}" goes on at offset ${actual}, not at ${expected}, so nothing was written; ${what}`
  return conflict(message, { topic, expected, actual })
}

/** In a transaction, an id that the topic remembers: of the message at that offset. */
export function idConflict(topic: string, offset: number): BookendError {
  const message = `topic "${topic}" has a message with this id, at offset ${offset}, so nothing was written: what it goes with may be done already`
  return conflict(message, { topic, expected: 'none', actual: offset })
}

/** Of `ack()` of a transaction, for what was not delivered by a group of its log. */
export function foreignDelivery(): TypeError {
  return new TypeError("ack() takes a delivery of one of this log's groups")
}

/** The last message with a key is not what it was to be. */
export function versionConflict(topic: string, expected: ExpectedVersion, actual: number | 'none'): BookendError {
  const wanted = { none: 'no message', exists: 'a message' }[expected as string] ?? `offset ${expected}`
  const found = actual === 'none' ? 'there is none' : `its last one is at offset ${actual}`
  const message = `topic "${topic}" was to have ${wanted} as the last with this key, and ${found}, so nothing was written: look at it, and decide anew`
  return conflict(message, { topic, expected, actual })
}

/** A register, or what a producer has written, is not below a number. */
export function registerConflict(register: string, below: number, actual: number): BookendError {
  const message = `"${register}" stands at ${actual}, not below ${below}, so nothing was written`
  return conflict(message, { register, expected: below, actual })
}

/** Of everything that would write, once the log is not this owner's any more. */
export function ownerLostError(directory: string): BookendError {
  const message = `the log in ${directory} is not this owner's any more: its file "lock" or "control" was removed or replaced while it was open, and others may have opened it. Nothing more is written here; close the log, and open it again`
  return new BookendError('BOOKEND_LOCKED', message, { file: directory })
}

/** A group has one filter in a process, or none. @param known undefined: it is at work without one */
export function otherFilterError(topic: string, group: string, known: Filter | undefined): TypeError {
  const has = known === undefined ? 'is at work without where' : `has another where: ${JSON.stringify(whereOf(known))}`
  return new TypeError(
    `the group "${group}" of topic "${topic}" ${has}. Say the same in the whole process, or take another group: what one of them passes the other would never see`,
  )
}

function whereOf(filter: Filter): Record<string, readonly string[]> {
  return Object.fromEntries(filter.map(({ name, values }) => [name, values]))
}
