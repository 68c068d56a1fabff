/**
 * The application's thread hears the bell of another process's log by itself, and in the place of the follower's thread. Where it cannot (no
 * native part, a file system that does not say what is in memory) it does not listen, and that thread goes on hearing.
 */
import { type BellRecord, bellBytes, decodeBell } from '../../format/bell-layout.js'
import { logMarkOf } from '../../format/log-id.js'
import { loadNowFiles, type NowFile, type NowFiles } from '../../memory/read-now.js'
import { sharedClockMs } from '../../ring/shared-clock.js'
import { openSharedState, watchedBell } from '../../ring/shared-state.js'
import { TopicCells } from '../../ring/topic-cells.js'
import { BellFile } from '../../storage/files/bell-file.js'
import { nodeDisk } from '../../storage/files/disk.js'
import { SegmentFiles } from '../../storage/files/segment-files.js'
import { type PathWatch, watchPath } from '../../storage/files/watched-path.js'
import { ShortWalk } from '../../storage/follow/short-walk.js'
import { FollowedWords } from '../../threads/follower/followed-words.js'
import { ShortWay } from '../../threads/follower/short-way.js'
import type { SharedMemory } from '../../threads/shared-memory.js'

export interface OwnEarParts {
  shared: SharedMemory
  /** Of the log. */
  id: string
  segmentBytes: number
  /** Something was taken in. */
  onPublished(): void
}

/** What is open while it listens. */
interface Listening {
  readonly bell: NowFile
  readonly watch: PathWatch
  readonly walk: ShortWalk
}

export class OwnEar {
  readonly #parts: OwnEarParts
  /** The follower's thread, and the other half of its role in this one: see {@link FollowedWords}. */
  readonly #state
  #listening: Listening | undefined
  /** Of the bell that was to be heard last. */
  #number = 0
  #isClosed = false

  constructor(parts: OwnEarParts) {
    this.#parts = parts
    this.#state = openSharedState(parts.shared.state, 'application', 'writer', 'reaper', 'flusher')
  }

  /** There is another bell file, or the first one. @param number what the follower's thread calls it */
  listen(number: number): void {
    this.#number = number
    this.#drop()
    const now = this.#isClosed ? undefined : loadNowFiles()
    if (now === undefined) this.#tell(watchedBell.none)
    else void this.#open(now, number)
  }

  close(): void {
    this.#isClosed = true
    this.#drop()
  }

  async #open(now: NowFiles, number: number): Promise<void> {
    const { shared, id, segmentBytes } = this.#parts
    const where = BellFile.path(shared.directory)
    const bell = await now.open(where, bellBytes)
    if (bell === undefined) return this.#tell(watchedBell.none)
    const target = now.target(bellBytes)
    const mark = logMarkOf(id)
    const readBell = (): BellRecord | undefined =>
      bell.read(target, 0, 0, bellBytes) ? decodeBell(target.bytes, mark) : undefined
    const walk = new ShortWalk(now, new SegmentFiles(nodeDisk, shared.directory, segmentBytes, id))
    const way = new ShortWay({
      state: this.#state,
      words: new FollowedWords(this.#state, 'application'),
      cells: new TopicCells(shared.topics),
      walk,
      readBell,
      sharedMs: sharedClockMs,
    })
    // Its number may be another one's by now; and what cannot be read now never could.
    const isWanted = !this.#isClosed && this.#number === number && readBell() !== undefined
    const watch = isWanted ? watchPath(where, () => this.#hear(way)) : undefined
    if (watch === undefined || typeof watch === 'string') {
      await bell.close()
      if (this.#number === number) this.#tell(watchedBell.none)
      return
    }
    this.#listening = { bell, watch, walk }
    this.#tell(number)
  }

  #hear(way: ShortWay): void {
    if (way.hear()) this.#parts.onPublished()
    else {
      // In front of the ring: whoever wakes up finds that it was left to him.
      this.#state.ringsLeft.add(1)
      this.#state.writer.ring()
    }
  }

  #drop(): void {
    if (this.#listening === undefined) return
    const { bell, watch, walk } = this.#listening
    this.#listening = undefined
    watch.close()
    walk.close()
    void bell.close()
    this.#tell(watchedBell.none)
  }

  /** From here on the follower's thread need not hear that bell, or must. */
  #tell(number: number): void {
    this.#state.watchedBell.store(number)
    this.#state.writer.ring()
  }
}
