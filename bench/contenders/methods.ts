/** Ways to bring the bytes of a file to another descriptor, each a loop over one system call. Synchronous, blocking. */
import fs from 'node:fs'
import koffi from 'koffi'
import { mapForReading, unmapFile, viewOf } from './bare-loop/segment-file.js'
import type { MethodName } from './catalogue.js'

const bufferBytes = 256 * 1024
const stepBytes = 1024 * 1024
const copyStepBytes = 8 * 1024 * 1024

const libc = koffi.load(null)
const sendfile = libc.func('intptr_t sendfile(int out, int in, int64_t *offset, size_t count)')
const copyFileRange = libc.func('intptr_t copy_file_range(int, int64_t *, int, int64_t *, size_t, unsigned int)')

/** How often each byte is copied, by the processor, on its way into a file's page cache. */
export const copiesToFile: Record<MethodName, number> = {
  'read-write': 2,
  'mmap-write': 1,
  sendfile: 1,
  'copy-file-range': 1,
}

/** Moves `bytes` bytes from the file to the descriptor. */
export type Move = (from: number, to: number, bytes: number) => void

export const moves: Record<MethodName, Move> = {
  'read-write': (from, to, bytes) => {
    const buffer = Buffer.alloc(bufferBytes)
    for (let at = 0; at < bytes; ) {
      const got = fs.readSync(from, buffer, 0, Math.min(bufferBytes, bytes - at), at)
      writeAll(to, buffer, 0, got)
      at += got
    }
  },

  'mmap-write': (from, to, bytes) => {
    const file = mapForReading(from, bytes)
    const view = viewOf(file)
    for (let at = 0; at < bytes; at += stepBytes) writeAll(to, view, at, Math.min(stepBytes, bytes - at))
    unmapFile(file)
  },

  sendfile: (from, to, bytes) => {
    const at = BigInt64Array.of(0n)
    for (let left = bytes; left > 0; ) left -= checked('sendfile', sendfile(to, from, at, Math.min(stepBytes, left)))
  },

  'copy-file-range': (from, to, bytes) => {
    const at = BigInt64Array.of(0n)
    for (let left = bytes; left > 0; ) {
      left -= checked('copy_file_range', copyFileRange(from, at, to, null, Math.min(copyStepBytes, left), 0))
    }
  },
}

function writeAll(to: number, bytes: Buffer, from: number, length: number): void {
  for (let done = 0; done < length; ) done += fs.writeSync(to, bytes, from + done, length - done)
}

function checked(call: string, result: number): number {
  if (result > 0) return result
  throw new Error(result === 0 ? `${call}: the file ended early` : `${call} failed, errno ${koffi.errno()}`)
}
