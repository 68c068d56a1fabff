import os from 'node:os'
import { SystemCallError } from './memory.js'

/** Linux error numbers which `os.constants.errno` leaves out and failing disks are known to answer with. */
const linuxOnly: ReadonlyArray<readonly [string, number]> = [
  ['ESHUTDOWN', 108],
  ['EUCLEAN', 117],
  ['EREMOTEIO', 121],
  ['ENOMEDIUM', 123],
  ['EHWPOISON', 133],
]

export const errno = {
  EPERM: os.constants.errno.EPERM,
  ENOENT: os.constants.errno.ENOENT,
  EINTR: os.constants.errno.EINTR,
  EXDEV: os.constants.errno.EXDEV,
  EBADF: os.constants.errno.EBADF,
  EAGAIN: os.constants.errno.EAGAIN,
  EFAULT: os.constants.errno.EFAULT,
  EINVAL: os.constants.errno.EINVAL,
  EIO: os.constants.errno.EIO,
  ENXIO: os.constants.errno.ENXIO,
  ENOSYS: os.constants.errno.ENOSYS,
  EOPNOTSUPP: os.constants.errno.EOPNOTSUPP,
} as const

const names = new Map<number, string>()
// The table above goes first: EAGAIN and EOPNOTSUPP share their numbers with EWOULDBLOCK and ENOTSUP.
for (const [name, number] of [...Object.entries(errno), ...Object.entries(os.constants.errno), ...linuxOnly]) {
  if (!names.has(number)) names.set(number, name)
}

/** The error for a call that answered with `number`. */
export function failedCall(syscall: string, number: number, detail = ''): SystemCallError {
  return new SystemCallError(syscall, names.get(number) ?? `ERRNO_${number}`, number, detail)
}

/** The code of what is thrown where a packed block of a segment fails its checksum: it cannot be read, like a block that the device does not give. */
export const badBlockCode = 'BADBLOCK'

/**
 * True if a read failed for what stands on the device: a block that it does not give, or that fails its file system's own checksum or
 * ours, or a file that was cut under its mapping. Too few descriptors or too little memory say nothing about a file.
 */
export function isUnreadable(error: unknown): boolean {
  return unreadableCodes.has((error as NodeJS.ErrnoException | undefined)?.code ?? '')
}

const unreadableCodes = new Set(['EIO', 'EFAULT', 'EHWPOISON', 'EBADMSG', 'EUCLEAN', 'ENODATA', 'EILSEQ', badBlockCode])

/** Runs a call of `node:fs` and gives its failure the form all failures of this folder have. */
export function asSystemCall<T>(detail: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw toSystemCallError(error, detail)
  }
}

/** Errors that are not failures of a system call (a wrong argument) come back as they are. */
export function toSystemCallError(error: unknown, detail: string): unknown {
  if (!(error instanceof Error)) return error
  const { code, errno: number, syscall } = error as NodeJS.ErrnoException
  if (code === undefined || number === undefined || syscall === undefined) return error
  return new SystemCallError(syscall, code, Math.abs(number), detail)
}
