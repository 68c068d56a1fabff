/** Says once in a process what is slower than it could be. */
let isSaid = false

/** @param reason why the native part did not load */
export function warnOfMissingNative(reason: string): void {
  if (isSaid) return
  isSaid = true
  const message = `Bookend reads and writes segments as files, without mapping: ${reason}. It is an optional package: install without --omit=optional (--no-optional), or open the log with io: 'file' if that is meant`
  process.emitWarning(message, { type: 'BookendWarning', code: 'BOOKEND_NO_NATIVE' })
}
