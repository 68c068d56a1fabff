import fs from 'node:fs'

/**
 * Random bytes, for names that must not meet. From the kernel where it has a file for them: `node:crypto` takes 7 ms and up to 6 MB of a
 * thread that needs nothing else of it.
 */
export function randomBytes(length: number): Buffer {
  return fromKernel(length) ?? process.getBuiltinModule('node:crypto').randomBytes(length)
}

function fromKernel(length: number): Buffer | undefined {
  let descriptor: number | undefined
  try {
    descriptor = fs.openSync('/dev/urandom', 'r')
    const bytes = Buffer.alloc(length)
    return fs.readSync(descriptor, bytes, 0, length, null) === length ? bytes : undefined
  } catch {
    // Not on this system, or not in this sandbox.
    return undefined
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor)
  }
}
