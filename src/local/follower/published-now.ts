/**
 * How far the owner of a log has published, for who looks at its files from outside: heard from its bell, without the log being opened, and
 * without a page of a segment being touched.
 */
import { loadSystemCalls } from '../../memory/system-calls.js'
import { BellFile } from '../../storage/files/bell-file.js'
import { ControlFile, readBootId } from '../../storage/files/control-file.js'
import type { Disk } from '../../storage/files/disk.js'
import { FollowerFolder } from '../../storage/files/follower-folder.js'
import { findOwner } from '../../storage/files/log-owner.js'
import { judge } from '../../storage/follow/judgement.js'

/** An owner at work answers within milliseconds. */
const greetingMs = 1_000
const lookMs = 5

export class PublishedNow {
  readonly #disk: Disk
  readonly #directory: string
  readonly #registration: { close(): void } | undefined

  private constructor(disk: Disk, directory: string, registration: { close(): void } | undefined) {
    this.#disk = disk
    this.#directory = directory
    this.#registration = registration
  }

  /** Registers with the owner, if there is one at work, and waits for its word. Without it the control file's counts. */
  static async open(disk: Disk, directory: string): Promise<PublishedNow> {
    if (findOwner(directory).state === 'none') return new PublishedNow(disk, directory, undefined)
    const before = new PublishedNow(disk, directory, undefined).#look().sequence
    let registration: { close(): void } | undefined
    try {
      registration = new FollowerFolder(disk, directory, loadSystemCalls()).register()
    } catch (error) {
      // Not to be written to by us.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error
    }
    const now = new PublishedNow(disk, directory, registration)
    const deadline = performance.now() + (registration === undefined ? 0 : greetingMs)
    while (now.#look().sequence === before && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, lookMs))
    }
    return now
  }

  /** Log position up to which everything is published, as of now; 0: nothing says it. */
  get position(): number {
    return this.#look().published
  }

  close(): void {
    this.#registration?.close()
  }

  #look(): { published: number; sequence: number } {
    const control = ControlFile.open(this.#disk, this.#directory, 'read')
    control?.close()
    if (control?.found === undefined) return { published: 0, sequence: 0 }
    const file = BellFile.forHearing(this.#disk, this.#directory, control.identity.id)
    const bell = file?.read()
    file?.close()
    const known = { epoch: 0, published: 0, trim: 0 }
    const owner = findOwner(this.#directory).state
    const judgement = judge(known, { record: control.found, bell, owner, bootId: readBootId() })
    return { published: judgement.kind === 'replaced' ? 0 : judgement.published, sequence: bell?.sequence ?? 0 }
  }
}
