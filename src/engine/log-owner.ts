/** Whether a log has an owner at work, found out without touching its lock. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

export interface LogOwner {
  /** `unknown`: the system does not tell. */
  state: 'running' | 'none' | 'unknown'
  /** The process that holds the lock, as this process sees it. */
  pid?: number
  /** What the last owner wrote into the lock file. */
  signature: string
}

/** The kernel lists the holders of `flock` locks by inode; to ask by taking the lock could turn an owner away that just opens. */
export function findOwner(directory: string): LogOwner {
  const file = path.join(directory, 'lock')
  let inode: number
  let device: number
  let signature: string
  try {
    signature = fs.readFileSync(file, 'utf8').trim()
    ;({ ino: inode, dev: device } = fs.statSync(file))
  } catch {
    return { state: 'none', signature: '' }
  }
  const signed = /^pid (\d+) on (\S+) /.exec(signature)
  let locks: string
  try {
    locks = fs.readFileSync('/proc/locks', 'latin1')
  } catch {
    return { state: signed === null ? 'none' : isAlive(signed), ...pidOf(signed), signature }
  }
  // 3: FLOCK  ADVISORY  WRITE 4711 fe:00:1311 0 EOF. Some file systems show another device here than to those who ask the file.
  for (const [, holder, major, minor, number] of locks.matchAll(/ FLOCK .* (-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /g)) {
    if (Number(number) !== inode) continue
    const pid = Number(holder)
    const isDevice = device === deviceNumber(Number.parseInt(major, 16), Number.parseInt(minor, 16))
    if (isDevice || pid === Number(signed?.[1]))
      return { state: 'running', ...(pid > 0 ? { pid } : pidOf(signed)), signature }
  }
  // Locks of processes in another container are not in the list.
  return { state: signed === null || signed[2] === os.hostname() ? 'none' : 'unknown', signature }
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
