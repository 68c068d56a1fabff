import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const root = '/sys/fs/cgroup'
/** Version 1 mounts each controller in a folder of its own. */
const firstVersion = join(root, 'memory')
const namePrefix = 'bookend-bench-'
const removeAttempts = 20
const removePauseMs = 50

let created = 0

/**
 * A memory control group of Linux: what its processes use, the page cache of the files they touch included, stays below a
 * limit. What goes beyond it is written back and dropped by the kernel, as on a machine with that much memory.
 */
export class MemoryGroup {
  /** The folder that the kernel shows it as. */
  readonly path: string
  readonly #isFirst: boolean

  private constructor(path: string, isFirst: boolean) {
    this.path = path
    this.#isFirst = isFirst
  }

  /** Undefined where there is no such group to be had: it takes root and a mounted memory controller. */
  static create(limitBytes: number): MemoryGroup | undefined {
    const isFirst = existsSync(join(firstVersion, 'memory.limit_in_bytes'))
    const parent = isFirst ? firstVersion : root
    const path = join(parent, `${namePrefix}${process.pid}-${created++}`)
    const set = (name: string, value: number) => writeFileSync(join(path, name), String(value))
    try {
      if (!isFirst) delegate()
      removeLeftOver(parent)
      mkdirSync(path)
      set(isFirst ? 'memory.limit_in_bytes' : 'memory.max', limitBytes)
    } catch {
      return undefined
    }
    // Swap would be memory by another name; where it is not counted, there is none to limit.
    try {
      if (isFirst) set('memory.memsw.limit_in_bytes', limitBytes)
      else set('memory.swap.max', 0)
    } catch {}
    return new MemoryGroup(path, isFirst)
  }

  /** The process is in it from here on, with everything it takes later. */
  add(processId: number): void {
    writeFileSync(join(this.path, 'cgroup.procs'), String(processId))
  }

  /** Memory of the processes that is not the content of a file. */
  anonymousBytes(): number {
    return this.#isFirst ? this.#field('memory.stat', 'total_rss') : this.#field('memory.stat', 'anon')
  }

  /** Processes that the kernel has killed for want of memory. */
  kills(): number {
    return this.#field(this.#isFirst ? 'memory.oom_control' : 'memory.events', 'oom_kill')
  }

  #field(file: string, name: string): number {
    const text = readFileSync(join(this.path, file), 'utf8')
    return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
  }

  /** For a group without processes. The kernel takes a moment after the last one has ended. */
  async remove(): Promise<void> {
    for (let attempt = 1; attempt <= removeAttempts; attempt++) {
      try {
        rmdirSync(this.path)
        return
      } catch {
        await sleep(removePauseMs)
      }
    }
  }
}

/** Version 2 has the controller in a child only if its parent says so; often it has been said. */
function delegate(): void {
  try {
    writeFileSync(join(root, 'cgroup.subtree_control'), '+memory')
  } catch {}
}

/** Of runs that were killed: a group that has processes stays. */
function removeLeftOver(parent: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(namePrefix)) continue
    try {
      rmdirSync(join(parent, name))
    } catch {}
  }
}
