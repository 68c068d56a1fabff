/** Whether a log has an owner at work, found out without touching its locks, and without trusting what stands in their place. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

export interface LogOwner {
  /** `unknown`: the system does not tell. */
  state: 'running' | 'none' | 'unknown'
  /** The process that holds the lock, as this process sees it. */
  pid?: number
  /** What the last owner wrote into the lock file, as one line that can be shown. */
  signature: string
}

/** The kernel lists the holders of `flock` locks by inode; to ask by taking the lock could turn an owner away that just opens. */
export function findOwner(directory: string): LogOwner {
  const files = ['lock', 'control'].flatMap((name) => {
    const status = fs.lstatSync(path.join(directory, name), { throwIfNoEntry: false })
    return status?.isFile() ? [status] : []
  })
  const signature = readSignature(path.join(directory, 'lock'))
  if (files.length === 0) return { state: 'none', signature }
  const signed = /^pid (\d+) on (\S+) /.exec(signature)
  const holder = lockHolder(files, Number(signed?.[1]))
  if (holder === 'untold') return { state: signed === null ? 'none' : isAlive(signed), ...pidOf(signed), signature }
  if (holder !== undefined) return { state: 'running', ...(holder > 0 ? { pid: holder } : pidOf(signed)), signature }
  // Locks of processes in another container are not in the list.
  return { state: signed === null || signed[2] === os.hostname() ? 'none' : 'unknown', signature }
}

/**
 * The process that holds a `flock` lock on one of the files, as the kernel lists it. `untold`: the system does not tell.
 * @param likely some file systems show another device here than to those who ask the file: then this process is believed to be it
 */
export function lockHolder(files: readonly fs.Stats[], likely: number | undefined): number | 'untold' | undefined {
  let locks: string
  try {
    locks = fs.readFileSync('/proc/locks', 'latin1')
  } catch {
    return 'untold'
  }
  // 3: FLOCK  ADVISORY  WRITE 4711 fe:00:1311 0 EOF.
  for (const [, holder, major, minor, number] of locks.matchAll(/ FLOCK .* (-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /g)) {
    const file = files.find(({ ino }) => ino === Number(number))
    if (file === undefined) continue
    const pid = Number(holder)
    const isDevice = file.dev === deviceNumber(Number.parseInt(major, 16), Number.parseInt(minor, 16))
    if (isDevice || pid === likely) return pid
  }
  return undefined
}

/** An owner writes less. */
const maxSignatureBytes = 256

/** Anybody who may write into the directory may have put anything there: not waited at, not followed, not read to its end. */
function readSignature(file: string): string {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  try {
    const descriptor = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      if (!fs.fstatSync(descriptor).isFile()) return ''
      const bytes = Buffer.alloc(maxSignatureBytes)
      const length = fs.readSync(descriptor, bytes, 0, bytes.length, 0)
      const [line] = bytes.toString('utf8', 0, length).split('\n')
      // Printed by whoever cannot open the log: nothing in it may speak to a terminal.
      return line.replaceAll(/[\p{Cc}\p{Cf}]/gu, '').trim()
    } finally {
      fs.closeSync(descriptor)
    }
  } catch {
    return ''
  }
}

/** As Linux makes one number of two. */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) + major * 256 + (minor & ~0xff) * 4096
}

function pidOf(signed: RegExpExecArray | null): { pid?: number } {
  return signed === null || signed[2] !== os.hostname() ? {} : { pid: Number(signed[1]) }
}

/** Without the kernel's list the signature is all there is; process numbers are used again, so "yes" is a guess. */
function isAlive(signed: RegExpExecArray): LogOwner['state'] {
  if (signed[2] !== os.hostname()) return 'unknown'
  try {
    process.kill(Number(signed[1]), 0)
    return 'unknown'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? 'none' : 'unknown'
  }
}
