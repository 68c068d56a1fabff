/** Looking at the page cache from outside: which pages of a file are in memory, and who maps it. */
import fs from 'node:fs'
import { loadLibc, mapShared, protRead } from './libc.js'
import { withWindowFile } from './window-file.js'

export interface ResidentMap {
  /** Of one page, as the kernel counts. */
  pageBytes: number
  /** One byte a page; the lowest bit says that it is in memory. */
  pages: Uint8Array
}

/**
 * Asks the kernel about a file that is mapped for nothing but the question: no byte of the mapping is touched, so no page comes
 * to memory for being looked at.
 * @returns undefined where it cannot be told: without native parts, or of a file that this user may not write (there the
 *   kernel would answer "all of it")
 */
export function residentMap(file: string, byteLength: number): ResidentMap | undefined {
  const libc = loadLibc()
  if (libc instanceof Error) return undefined
  try {
    fs.accessSync(file, fs.constants.W_OK)
    return withWindowFile(file, byteLength, 'read', (descriptor) => {
      const address = libc.map(0, byteLength, protRead, mapShared, descriptor)
      if (address < 0) return undefined
      const pages = new Uint8Array(Math.ceil(byteLength / libc.kernelPageBytes))
      const failure = libc.resident(address, byteLength, pages)
      libc.unmap(address, byteLength)
      return failure === 0 ? { pageBytes: libc.kernelPageBytes, pages } : undefined
    })
  } catch {
    // Gone since it was listed, or too short: there is nothing to tell.
    return undefined
  }
}

/** A mapping of a file in some process. */
export interface ProcessMapping {
  inode: number
  isWritable: boolean
}

/** File mappings of a process; undefined where they may not be read. */
export function processMappings(pid: number): ProcessMapping[] | undefined {
  let text: string
  try {
    text = fs.readFileSync(`/proc/${pid}/maps`, 'latin1')
  } catch {
    return undefined
  }
  // 7f1c00000000-7f1c08000000 rw-s 00000000 fe:00 1311 /data/log/00000000000000000000.seg
  const line = /^[0-9a-f]+-[0-9a-f]+ r([w-])\S+ 0+ \S+ (\d+)/gm
  return [...text.matchAll(line)]
    .map(([, write, inode]) => ({ inode: Number(inode), isWritable: write === 'w' }))
    .filter(({ inode }) => inode > 0)
}
