/**
 * Begins to read a part of a file into the page cache, and waits for none of it: what several files are asked for at once the device does together, in a
 * fraction of the time that it takes one after the other. A hint: without native calls nothing is begun.
 */
import { loadLibc } from './libc.js'

export function readAhead(descriptor: number, at: number, byteLength: number): void {
  const libc = loadLibc()
  if (!(libc instanceof Error)) libc.readAhead(descriptor, at, byteLength)
}
