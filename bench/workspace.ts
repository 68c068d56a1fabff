import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const dropCachesPath = '/proc/sys/vm/drop_caches'

/** The run's own directory: a store per job, all gone at the end. */
export class Workspace {
  readonly directory: string
  #next = 0

  constructor(parent: string) {
    mkdirSync(parent, { recursive: true })
    this.directory = mkdtempSync(join(parent, 'bookend-bench-'))
  }

  /** An empty directory. */
  create(): string {
    const directory = join(this.directory, String(this.#next++))
    mkdirSync(directory)
    return directory
  }

  /** Removes a store, and waits for the file system, so that the next job does not pay for it. */
  discard(directory: string): void {
    // Processes that followed a job which failed are told by its end, and may write until they have heard of it.
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 })
    this.settle()
  }

  /** Writes dirty pages back: what one job left behind must not be written during the next. */
  settle(): void {
    settle(this.directory)
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.directory)
    return bavail * bsize
  }

  /** See {@link dropPageCache}. */
  dropPageCache(): boolean {
    return dropPageCache(this.directory)
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function settle(directory: string): void {
  spawnSync('sync', ['-f', directory])
}

/** Empties the page cache; false where that is not allowed. There is no fadvise in Node to do it per file. */
export function dropPageCache(directory: string): boolean {
  if (process.getuid?.() !== 0 || !existsSync(dropCachesPath)) return false
  try {
    settle(directory)
    writeFileSync(dropCachesPath, '3')
    return true
  } catch {
    return false
  }
}
