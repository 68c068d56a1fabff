import os from 'node:os'
import { BookendError } from '../errors.js'
import { findOwner } from '../storage/files/log-owner.js'

/** Somebody has the log: who, and what to do about it. */
export function lockedError(directory: string): BookendError {
  const { signature, pid } = findOwner(directory)
  const who = signature || (pid === undefined ? '' : `pid ${pid}`)
  const named = who === '' ? '' : ` (${who})`
  // Without native calls another process takes the lock for us, and the kernel names that one.
  const isOurs = pid === process.pid || signature.startsWith(`pid ${process.pid} on ${os.hostname()} `)
  const message = isOurs
    ? `the log in ${directory} is already open in this process${named}: use the Log that the first open() gave, or close it first. A module that is loaded more than once (hot reloading) keeps its Log in globalThis: see docs/recipes/hot-reloading.md`
    : `the log in ${directory} is open in another owner${named}: close it there first, or open it here with readOnly`
  return new BookendError('BOOKEND_LOCKED', message)
}
