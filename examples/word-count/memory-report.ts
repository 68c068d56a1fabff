import { readFile, realpath } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { Log } from 'bookend'

/** Mappings and memory of this process at one moment. Undefined: the platform or the log does not say. */
export interface MemoryReport {
  readonly segments: number | undefined
  readonly mappedSegments: number | undefined
  /** Address space that maps segment files, as the kernel lists it; where it lists nothing, as the log counts it. */
  readonly mappedBytes: number | undefined
  /** The part of it that is in memory. */
  readonly mappedResidentBytes: number | undefined
  /** The whole process. */
  readonly residentBytes: number
}

/** Mappings of segment files as /proc lists them. */
export interface SegmentMappings {
  readonly bytes: number
  /** Undefined in `maps`, which does not list it; `smaps` does. */
  readonly residentBytes: number | undefined
}

/**
 * Takes the numbers of this moment.
 *
 * @param log whose statistics to ask
 */
export async function reportMemory(log: Log): Promise<MemoryReport> {
  const mappings = await readMappings('/proc/self/smaps', log.directory)
  const stats = log.stats()
  return {
    segments: count(stats, 'segments', 'total'),
    mappedSegments: count(stats, 'segments', 'mapped'),
    mappedBytes: mappings?.bytes ?? count(stats, 'segments', 'mappedBytes'),
    mappedResidentBytes: mappings?.residentBytes,
    residentBytes: await residentBytes(),
  }
}

/**
 * How much is mapped now: the cheap part of {@link reportMemory}, for polling.
 *
 * @param log whose segments to look for
 */
export async function mappedBytes(log: Log): Promise<number | undefined> {
  const mappings = await readMappings('/proc/self/maps', log.directory)
  return mappings?.bytes ?? count(log.stats(), 'segments', 'mappedBytes')
}

/**
 * How many reader threads the log has.
 *
 * @param requested what it was opened with; undefined for the default
 */
export function readerThreads(log: Log, requested: number | undefined): number {
  return count(log.stats(), 'readers', 'threads') ?? requested ?? Math.max(1, availableParallelism() - 1)
}

/**
 * Adds up the mappings of segment files in the text of `/proc/<pid>/maps` or `/proc/<pid>/smaps`.
 *
 * @param text of the file
 * @param directory the log's; mappings of other files do not count
 */
export function parseMappings(text: string, directory: string): SegmentMappings {
  let bytes = 0
  let residentBytes: number | undefined
  let isSegment = false
  for (const line of text.split('\n')) {
    const header = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+\s*(.*)$/.exec(line)
    if (header !== null) {
      isSegment = isSegmentFile(header[3]!, directory)
      if (isSegment) bytes += Number.parseInt(header[2]!, 16) - Number.parseInt(header[1]!, 16)
      continue
    }
    const resident = /^Rss:\s+(\d+) kB/.exec(line)
    if (resident === null) continue
    residentBytes ??= 0
    if (isSegment) residentBytes += Number(resident[1]) * 1024
  }
  return { bytes, residentBytes }
}

function isSegmentFile(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`) && /\.seg(?: \(deleted\))?$/.test(path)
}

async function readMappings(path: string, directory: string): Promise<SegmentMappings | undefined> {
  const text = await readProc(path)
  // The kernel lists real paths, and the way to the log may lead through a link.
  return text === undefined ? undefined : parseMappings(text, await realpath(directory))
}

async function residentBytes(): Promise<number> {
  const status = await readProc('/proc/self/status')
  const match = status === undefined ? null : /^VmRSS:\s+(\d+) kB/m.exec(status)
  return match === null ? process.memoryUsage.rss() : Number(match[1]) * 1024
}

async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    // Not Linux, or not allowed to look: the report then shows what else there is.
    return undefined
  }
}

/** Statistics grow from version to version: a report must not fail on a number that is not there. */
function count(stats: unknown, group: string, name: string): number | undefined {
  const value = member(member(stats, group), name)
  return typeof value === 'number' ? value : undefined
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
