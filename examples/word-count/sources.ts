import type { Dirent } from 'node:fs'
import { access, constants, type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { InputError, unreadable } from './input-error.js'

/** One input, which becomes one topic. */
export interface Source {
  /** Path below the common folder of all sources, with `/`; topic names are made from it. */
  readonly name: string
  /** Where the bytes are; undefined for standard input. */
  readonly path: string | undefined
  readonly isCompressed: boolean
  /** Size on disk, still compressed; undefined where only reading tells (pipes, standard input). */
  readonly bytes: number | undefined
}

/** Which part of the input is taken. Sources are dropped whole, from the first that does not fit. */
export interface SourceLimits {
  readonly maxBytes?: number | undefined
  readonly maxFiles?: number | undefined
}

/** What a search found, and what it passed over, so that nothing is left out silently. */
export interface FoundSources {
  readonly sources: Source[]
  readonly binaryCount: number
  readonly beyondLimitCount: number
}

interface Candidate {
  readonly path: string
  /** Named by the user: taken as it is. Files that a folder contributed must look like text. */
  readonly isNamed: boolean
}

const STANDARD_INPUT = '-'
const TEXT_FILE = /\.(?:[cm]?[jt]s|json|md|txt|css|html|flow|ya?ml)$/i
const SNIFF_BYTES = 4096
/** Files looked at together: enough to keep the thread pool of libuv busy, few enough to stop early at a limit. */
const INSPECT_COUNT = 64

/**
 * Finds what the user named: files, folders (recursively, without symbolic links and hidden entries) and `-`.
 * Everything is checked to be readable here, so that a typing error costs no half-written log.
 *
 * @param paths as given on the command line
 * @param limits none by default: what the user names is read in full
 */
export async function findSources(paths: readonly string[], limits: SourceLimits = {}): Promise<FoundSources> {
  const candidates: Candidate[] = []
  const roots: string[] = []
  for (const path of new Set(paths.map((path) => (path === STANDARD_INPUT ? path : resolve(path))))) {
    if (path === STANDARD_INPUT) {
      candidates.push({ path, isNamed: true })
    } else if (await isFolder(path)) {
      roots.push(path)
      for (const file of await listFolder(path, () => true)) candidates.push({ path: file, isNamed: false })
    } else {
      roots.push(dirname(path))
      candidates.push({ path, isNamed: true })
    }
  }
  return select(unique(candidates), commonFolder(roots), limits)
}

/**
 * Finds source code and documentation below a folder: real text that every checkout has.
 *
 * @param folder normally the project's `node_modules`
 * @param limits what to take of it; the order is sorted, so the same checkout gives the same input
 */
export async function findTextFiles(folder: string, limits: SourceLimits): Promise<FoundSources> {
  const files = await listFolder(resolve(folder), (name) => TEXT_FILE.test(name))
  return select(
    files.map((path) => ({ path, isNamed: false })),
    resolve(folder),
    limits,
  )
}

async function isFolder(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK)
    return (await stat(path)).isDirectory()
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function listFolder(folder: string, accepts: (name: string) => boolean): Promise<string[]> {
  const files: string[] = []
  // Depth first over an explicit stack, sorted at the end: the tree may be deep, the order must not depend on the disk.
  const folders = [folder]
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const entry of await readFolder(next)) {
      if (entry.name.startsWith('.')) continue
      if (entry.isDirectory()) folders.push(join(next, entry.name))
      else if (entry.isFile() && accepts(entry.name)) files.push(join(next, entry.name))
    }
  }
  return files.sort()
}

async function readFolder(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    throw unreadable(folder, error)
  }
}

/** A file that was named and also lies in a named folder counts as named, and once. */
function unique(candidates: readonly Candidate[]): Candidate[] {
  const byPath = new Map<string, Candidate>()
  for (const candidate of candidates) {
    if (candidate.isNamed || !byPath.has(candidate.path)) byPath.set(candidate.path, candidate)
  }
  return [...byPath.values()]
}

async function select(candidates: Candidate[], base: string, limits: SourceLimits): Promise<FoundSources> {
  const { maxBytes = Number.POSITIVE_INFINITY, maxFiles = Number.POSITIVE_INFINITY } = limits
  const sources: Source[] = []
  let binaryCount = 0
  let totalBytes = 0
  for (let index = 0; index < candidates.length; index += INSPECT_COUNT) {
    const group = candidates.slice(index, index + INSPECT_COUNT)
    const inspected = await Promise.all(group.map((candidate) => inspect(candidate, base)))
    for (const [position, source] of inspected.entries()) {
      if (source === undefined) {
        binaryCount++
        continue
      }
      const bytes = source.bytes ?? 0
      if (sources.length >= maxFiles || totalBytes + bytes > maxBytes) {
        return { sources, binaryCount, beyondLimitCount: candidates.length - index - position }
      }
      sources.push(source)
      totalBytes += bytes
    }
  }
  return { sources, binaryCount, beyondLimitCount: 0 }
}

/** Opens a candidate once: proves that it is readable, measures it, and tells text from binary. */
async function inspect({ path, isNamed }: Candidate, base: string): Promise<Source | undefined> {
  if (path === STANDARD_INPUT) return { name: 'stdin', path: undefined, isCompressed: false, bytes: undefined }
  const name = relative(base, path).split(sep).join('/')
  const isCompressed = path.toLowerCase().endsWith('.gz')
  try {
    const stats = await stat(path)
    // A pipe (process substitution, a named one) can be read only once, so it must not be opened to look at it.
    if (!stats.isFile()) return { name, path, isCompressed, bytes: undefined }
    const handle = await open(path, 'r')
    try {
      if (!isNamed && !isCompressed && (await looksBinary(handle))) return undefined
    } finally {
      await handle.close()
    }
    return { name, path, isCompressed, bytes: stats.size }
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function looksBinary(handle: FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(SNIFF_BYTES), 0, SNIFF_BYTES, 0)
  return buffer.subarray(0, bytesRead).includes(0)
}

function commonFolder(folders: readonly string[]): string {
  const [first, ...others] = folders
  if (first === undefined) return '/'
  let common = first.split(sep)
  for (const folder of others) {
    const parts = folder.split(sep)
    const end = common.findIndex((part, index) => part !== parts[index])
    if (end >= 0) common = common.slice(0, end)
  }
  return common.join(sep) || sep
}

/**
 * Fails where a search came to nothing, with the reason that helps.
 *
 * @param found what {@link findSources} or {@link findTextFiles} answered
 */
export function requireSources(found: FoundSources): void {
  if (found.sources.length > 0) return
  if (found.beyondLimitCount > 0) throw new InputError('the limits leave no input: raise --limit-mb or --max-files')
  throw new InputError(found.binaryCount > 0 ? 'no text there, only binary files' : 'no text files there')
}
