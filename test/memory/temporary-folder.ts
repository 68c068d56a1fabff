import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { openFiles } from '../fixtures/mappings.mjs'

/** A folder of this test file's own, under `parent`; remove it with `fs.rmSync`. */
export function temporaryFolder(parent = os.tmpdir()): string {
  return fs.mkdtempSync(path.join(parent, 'bookend-memory-'))
}

/** A file of `byteLength` random bytes, so that zeros stand out. */
export function randomFile(folder: string, name: string, byteLength: number): { path: string; content: Buffer } {
  const content = Buffer.alloc(byteLength)
  for (let at = 0; at < byteLength; at++) content[at] = 1 + Math.floor(Math.random() * 255)
  const file = path.join(folder, name)
  fs.writeFileSync(file, content)
  return { path: file, content }
}

/** True while some mapping of this process is of that file, as the kernel sees it. */
export function isMapped(file: string): boolean {
  return fs.readFileSync('/proc/self/maps', 'utf8').includes(file)
}

export function openDescriptors(file: string): number {
  return openFiles(file).filter((target) => target === file).length
}
