/**
 * Whose a log is. Its owner holds `flock` locks on two files, `lock` and `control`: with one of them deleted or replaced, the other still
 * keeps a second owner out. A lock is on a file and not on its name, though: whoever finds another file under both names gets
 * both locks. So an owner looks whether the names still lead to its files before it writes or flushes after it has not looked for a
 * while, since it may have been stopped (SIGSTOP) for any time between two instructions: nobody else can have opened the log in less. One
 * that has lost a name writes nothing any more.
 *
 * Not at each flush: two looks beside one `fdatasync` were a quarter of a lone append at level `disk`.
 */
import { ownerLookMs } from '../../limits.js'
import type { SystemCalls } from '../../memory/memory.js'
import { fileIdentity, identityAt } from './file-identity.js'

export interface LockedFile {
  path: string
  /** Open in this process, for as long as the lock is held. */
  descriptor: number
}

/** What the threads of an owner ask before they write. */
export interface Owner {
  /** Looks. Once false, always. */
  isKept(): boolean
  /** The same, from memory where the last look was a moment ago. */
  isKeptOfLate(): boolean
}

/** False: somebody else holds one of them, or has taken its name meanwhile. */
export function takeLocks(calls: Pick<SystemCalls, 'lock'>, files: readonly LockedFile[]): boolean {
  return files.every(({ descriptor }) => calls.lock(descriptor)) && new Ownership(files).isKept()
}

export class Ownership implements Owner {
  readonly #files: { path: string; identity: string }[]
  #isKept = true
  #lookedMs = Number.NEGATIVE_INFINITY

  /** @param files none for who only reads */
  constructor(files: readonly LockedFile[]) {
    this.#files = files.map(({ path, descriptor }) => {
      return { path, identity: fileIdentity(descriptor) }
    })
  }

  isKept(): boolean {
    this.#isKept &&= this.#files.every(isStillNamed)
    this.#lookedMs = performance.now()
    return this.#isKept
  }

  isKeptOfLate(): boolean {
    return performance.now() - this.#lookedMs < ownerLookMs ? this.#isKept : this.isKept()
  }
}

function isStillNamed({ path, identity }: { path: string; identity: string }): boolean {
  try {
    return identityAt(path) === identity
  } catch {
    // A device that does not answer says nothing about names; the next write will meet it.
    return true
  }
}
