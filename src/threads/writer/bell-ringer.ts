/**
 * The writer's word to other processes: while somebody follows the log, each publication is told through the bell file.
 *
 * Order: the position and the topic cells come first, the bell behind them, so that nobody elsewhere sees what this process does not see
 * yet; the ring's head, which acknowledges, comes behind the bell, so that what is acknowledged is known to followers whatever becomes
 * of this process.
 */
import { nextBellSequence } from '../../format/bell-layout.js'
import type { SharedState } from '../../ring/shared-state.js'
import type { BellFile } from '../../storage/files/bell-file.js'

export interface BellRingerParts {
  state: SharedState
  epoch: number
  openBell(): BellFile
}

export class BellRinger {
  readonly #parts: BellRingerParts
  #bell: BellFile | undefined
  #sequence = 0
  /** The last call that was answered. */
  #answered = 0

  constructor(parts: BellRingerParts) {
    this.#parts = parts
  }

  /** Somebody has come to follow, or files were deleted: where the log stands is told, whether anything is appended or not. */
  get isCalled(): boolean {
    return this.#parts.state.followerCalls.load() !== this.#answered
  }

  /** To be called behind everything that a publication stores but the ring's head. Nothing while nobody follows. */
  ring(): void {
    const { state, epoch } = this.#parts
    const calls = state.followerCalls.load()
    if (calls === this.#answered) {
      if (this.#bell === undefined) return
    } else {
      this.#answered = calls
      // Opened anew: the file may have been deleted meanwhile.
      this.close()
      if (calls === 0) return
    }
    try {
      this.#bell ??= this.#open()
      this.#sequence = nextBellSequence(this.#sequence)
      this.#bell.ring({ sequence: this.#sequence, epoch, published: state.published.load(), trim: state.trim.load() })
    } catch (error) {
      // Not the log's business: followers look by themselves, and the next call finds the bell again.
      if ((error as NodeJS.ErrnoException).errno === undefined) throw error
      this.close()
    }
  }

  close(): void {
    this.#bell?.close()
    this.#bell = undefined
  }

  #open(): BellFile {
    const bell = this.#parts.openBell()
    // On from the last owner's: who has just begun to listen tells the new word by its number.
    this.#sequence = bell.read()?.sequence ?? 0
    return bell
  }
}
