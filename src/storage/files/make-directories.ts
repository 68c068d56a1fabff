/**
 * Directories with those above them. Node's own `recursive` reports a read-only file system as ENOENT, and never comes back below
 * /proc, where a directory that is there refuses every new one as if it were not.
 */
import fs from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'

const mode = 0o700

/** @returns the topmost directory that was made; undefined: all were there. @throws EEXIST where a file is in the way */
export async function makeDirectories(directory: string): Promise<string | undefined> {
  try {
    await mkdir(directory, { mode })
    return directory
  } catch (error) {
    if (isThere(error)) {
      if ((await stat(directory).catch(() => undefined))?.isDirectory()) return undefined
      throw error
    }
    const topmost = await makeDirectories(parentFor(directory, error))
    // Also if nothing was missing: somebody else may have made it in this moment.
    await mkdir(directory, { mode }).catch((second) => {
      if (!isThere(second)) throw second
    })
    return topmost ?? directory
  }
}

/** The same, blocking. */
export function makeDirectoriesSync(directory: string): string | undefined {
  try {
    fs.mkdirSync(directory, { mode })
    return directory
  } catch (error) {
    if (isThere(error)) {
      if (fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return undefined
      throw error
    }
    const topmost = makeDirectoriesSync(parentFor(directory, error))
    try {
      fs.mkdirSync(directory, { mode })
    } catch (second) {
      if (!isThere(second)) throw second
    }
    return topmost ?? directory
  }
}

function isThere(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EEXIST'
}

/** What may be missing. @throws the error, where it says something else */
function parentFor(directory: string, error: unknown): string {
  const parent = path.dirname(directory)
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === directory) throw error
  return parent
}
