import { constants } from 'node:os'

/** Input that cannot be read: the user's business, so it is told in one line and without a stack. */
export class InputError extends Error {
  override readonly name = 'InputError'
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  EIO: 'the device failed to read it',
  Z_BUF_ERROR: 'the gzip data ends too early',
  Z_DATA_ERROR: 'it is not valid gzip data',
}

/**
 * Turns whatever the file system or zlib reported into one sentence that names the path.
 *
 * @param path what the user would recognise: a path, or "standard input"
 * @param cause the error as it was thrown
 */
export function unreadable(path: string, cause: unknown): InputError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const detail = cause instanceof Error ? cause.message : String(cause)
  const known = REASONS[code]
  const reason = known === undefined ? detail : code in constants.errno ? known : `${known} (${detail})`
  return new InputError(`cannot read ${path}: ${reason}`, { cause })
}
