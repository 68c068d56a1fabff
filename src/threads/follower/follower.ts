/**
 * The follower: stands where the writer stands in an owner. What the owner publishes it takes in, batch by batch, and publishes in the
 * shared words of its own log, in the writer's order.
 *
 * An event-loop thread. Whatever is missed (an event, an owner that was killed while it rang) is found by a look: every ten seconds while
 * the bell is heard, every second where there is none.
 */
import { assert, BookendError } from '../../errors.js'
import { noEpoch } from '../../format/bell-layout.js'
import type { ControlRecord } from '../../format/control-layout.js'
import { maxSleepMs } from '../../limits.js'
import type { Rope } from '../../ring/bell.js'
import { type SharedState, watchedBell } from '../../ring/shared-state.js'
import type { BellFile } from '../../storage/files/bell-file.js'
import type { LogOwner } from '../../storage/files/log-owner.js'
import type { SegmentFiles } from '../../storage/files/segment-files.js'
import type { PathWatch } from '../../storage/files/watched-path.js'
import { type Judgement, judge, type KnownLog } from '../../storage/follow/judgement.js'
import type { LogWalk } from '../../storage/follow/log-walk.js'
import type { FollowedTopics } from './followed-topics.js'
import type { FollowedWords } from './followed-words.js'
import type { FollowerNews, Hearing } from './follower-protocol.js'

export interface FollowerParts {
  /** Nobody else plays these roles: another process has writer and reaper of the log. */
  state: SharedState<'writer' | 'reaper' | 'flusher'>
  /** The thread that waits for messages. */
  application: Rope
  words: FollowedWords
  topics: FollowedTopics
  files: SegmentFiles
  directory: string
  /** Of the machine's present boot. */
  bootId: string
  known: KnownLog
  walk: LogWalk
  /** Why this follower is not in the folder of followers, so that nobody rings for it. */
  unregistered: string | undefined
  /** @returns undefined: there is none. @throws `BOOKEND_FORMAT` for another log's */
  readControl(): ControlRecord | undefined
  /** Names of what repairs have set aside. */
  listRepairs(): string[]
  findOwner(): LogOwner['state']
  openBell(): Pick<BellFile, 'read' | 'identity' | 'close'> | undefined
  watchBell(onChange: () => void): PathWatch | string
  /** Where the next owner will find the end of a log that nobody has open. */
  endOfLeft(record: ControlRecord): number
  hasFooter(segment: number): boolean
  send(news: FollowerNews): void
  /** A clock that never goes back. */
  nowMs(): number
  /** The one that threads compare with each other. */
  sharedMs(): number
}

/**
 * ```
 * looking <-> hearing <-> left <-> looking
 * any -> lost
 * ```
 */
export type FollowerStage =
  /** There may be an owner at work, whose bell is not heard. */
  | 'looking'
  /** The owner is at work, and rings. */
  | 'hearing'
  /** Nobody has the log open; what the last owner has left is taken in. */
  | 'left'
  /** It is another log by now, or was repaired. */
  | 'lost'

const mayFollow: Readonly<Record<FollowerStage, readonly FollowerStage[]>> = {
  looking: ['looking', 'hearing', 'left', 'lost'],
  hearing: ['looking', 'hearing', 'left', 'lost'],
  left: ['looking', 'hearing', 'left', 'lost'],
  lost: [],
}

/** While nothing is heard. */
const unheardLookMs = 1_000
/** A bell is believed for so long without another look at whether the owner is still there. */
const believedMs = 1_000

export class Follower {
  readonly #parts: FollowerParts
  readonly #repairs: string
  #stage: FollowerStage = 'looking'
  #known: KnownLog
  #bell: ReturnType<FollowerParts['openBell']>
  #watch: PathWatch | undefined
  /** Of the bell file that was met last, and what it is called among this process's threads. */
  #bellIdentity = ''
  #bellNumber = 0
  /** Of the bell that was heard last. */
  #sequence = 0
  #lookedMs = Number.NEGATIVE_INFINITY
  /** Number of the control record under which the log was seen to be left, and taken in. */
  #leftSequence = -1
  #hearing: Hearing = { by: 'looks', because: undefined }
  #looksWanted: number
  #watchedBell: number
  #ringsLeft: number

  constructor(parts: FollowerParts) {
    this.#parts = parts
    this.#known = parts.known
    this.#repairs = parts.listRepairs().join('/')
    // Those that were wanted before are taken with the first look.
    this.#looksWanted = parts.state.looksTaken.load()
    this.#watchedBell = parts.state.watchedBell.load()
    this.#ringsLeft = parts.state.ringsLeft.load()
  }

  get stage(): FollowerStage {
    return this.#stage
  }

  get hearing(): Hearing {
    return this.#hearing
  }

  get published(): number {
    return this.#parts.words.published
  }

  /** Of the bell that was heard last; 0: none was. */
  get sequence(): number {
    return this.#sequence
  }

  /** For so long nothing has to be done unless somebody rings. */
  get sleepMs(): number {
    if (this.#stage === 'lost') return maxSleepMs
    return Math.max(1, this.#lookedMs + this.#lookMs - this.#parts.nowMs())
  }

  /** Does what is due: a look that somebody asks for, or whose time has come; or hears a ring that was left to this thread. */
  tend(): void {
    const { state, nowMs } = this.#parts
    const [wanted, watched, left] = [state.looksWanted.load(), state.watchedBell.load(), state.ringsLeft.load()]
    // Who begins or ceases to watch the bell elsewhere: this thread goes on from where the other one has come to.
    const isWanted = wanted !== this.#looksWanted || watched !== this.#watchedBell
    const isRung = left !== this.#ringsLeft
    this.#looksWanted = wanted
    this.#watchedBell = watched
    this.#ringsLeft = left
    if (isWanted || nowMs() - this.#lookedMs >= this.#lookMs) this.look()
    else if (isRung) this.hear()
    if (!isWanted) return
    // Behind the look: what it found is stored by now. Who waits for it sleeps there.
    state.looksTaken.store(wanted)
    state.retirements.ring()
  }

  /** The bell was written to. */
  hear(): void {
    const isLate = this.#parts.nowMs() - this.#lookedMs >= believedMs
    const bell = this.#stage === 'hearing' && !isLate ? this.#bell?.read() : undefined
    if (bell === undefined || bell.epoch !== this.#known.epoch) this.look()
    else {
      this.#sequence = bell.sequence
      this.#takeIn(bell.published, Math.max(bell.trim, this.#known.trim))
    }
  }

  /** Looks at everything: who is at work, what the control file and the bell say, and takes in what follows from it. */
  look(): void {
    if (this.#stage === 'lost') return
    this.#lookedMs = this.#parts.nowMs()
    try {
      const lost = this.#look()
      if (lost === undefined) this.#findFooters()
      else this.#lose(lost)
    } catch (error) {
      const { code, errno, message } = error as NodeJS.ErrnoException
      if (error instanceof BookendError && error.code === 'BOOKEND_FORMAT') this.#lose(message)
      // A device, or a limit of the process, that may pass: the next look tries again.
      else if (code !== undefined && errno !== undefined)
        this.#parts.send({ type: 'error', code, message: `a look at what the owner has published failed: ${message}` })
      else throw error
    }
  }

  close(): void {
    this.#watch?.close()
    this.#bell?.close()
    this.#watch = undefined
    this.#bell = undefined
    this.#parts.walk.close()
  }

  get #lookMs(): number {
    if (this.#stage === 'hearing') return maxSleepMs
    // The next owner rings as soon as it is there.
    return this.#stage === 'left' && (this.#watch !== undefined || this.#isWatchedElsewhere)
      ? maxSleepMs
      : unheardLookMs
  }

  /**
   * The application's thread hears the bell, and leaves to this one what takes long; or it is about to decide. A watch of this thread's own that is
   * not needed would be one of the few that a user may have.
   */
  get #isWatchedElsewhere(): boolean {
    const watched = this.#parts.state.watchedBell.load()
    return this.#bellNumber > 0 && (watched === this.#bellNumber || watched === watchedBell.undecided)
  }

  /** @returns why it is not the log any more that is followed */
  #look(): string | undefined {
    const { findOwner, readControl, listRepairs } = this.#parts
    const because = this.#listen()
    this.#catchUp()
    // The owner first: of one that ends now, what it leaves is read afterwards.
    const owner = findOwner()
    const record = readControl()
    if (record === undefined) return 'its control file is gone'
    if (listRepairs().join('/') !== this.#repairs) return 'it was repaired'
    const bell = this.#bell?.read()
    this.#sequence = bell?.sequence ?? 0
    const judgement = judge(this.#known, { record, bell, owner, bootId: this.#parts.bootId })
    if (judgement.kind === 'replaced') return judgement.why
    this.#believe(judgement, record, because)
    return undefined
  }

  /** @returns why nothing can be heard */
  #listen(): string | undefined {
    const { openBell, watchBell, unregistered, send } = this.#parts
    // Anew at each look: another file may have taken the name.
    this.#watch?.close()
    this.#bell?.close()
    this.#watch = undefined
    this.#bell = openBell()
    if (unregistered !== undefined) return unregistered
    if (this.#bell === undefined) return 'the owner has not rung yet'
    if (this.#bell.identity !== this.#bellIdentity) {
      this.#bellIdentity = this.#bell.identity
      this.#bellNumber += 1
      send({ type: 'bell', number: this.#bellNumber })
    }
    if (this.#isWatchedElsewhere) return undefined
    // Before the bell is read: what is rung behind that look is heard.
    const watch = watchBell(this.#onBell)
    if (typeof watch === 'string') return `the file bell cannot be watched (${watch})`
    this.#watch = watch
    return undefined
  }

  readonly #onBell = (): void => this.hear()

  #believe(
    judgement: Exclude<Judgement, { kind: 'replaced' }>,
    record: ControlRecord,
    because: string | undefined,
  ): void {
    const { endOfLeft, findOwner, readControl } = this.#parts
    let { published } = judgement
    const { epoch, trim } = judgement
    if (judgement.kind === 'left' && record.sequence !== this.#leftSequence) {
      const end = endOfLeft(record)
      const isStillLeft = findOwner() === 'none' && readControl()?.sequence === record.sequence
      // Somebody has opened it meanwhile, and may append already: what was found is not judged any more.
      if (isStillLeft) {
        published = Math.max(published, end)
        this.#leftSequence = record.sequence
      } else this.#lookedMs = Number.NEGATIVE_INFINITY
    }
    this.#known = { ...this.#known, epoch }
    // Nobody can hear without being told of it by the system.
    const isHeard = judgement.kind === 'hearing' && because === undefined
    // In front of what is taken in of a log that is left: from here on no bell says anything of it.
    this.#tellBelief(isHeard ? epoch : noEpoch)
    this.#takeIn(published, trim)
    const stage = judgement.kind === 'left' ? 'left' : isHeard ? 'hearing' : 'looking'
    this.#enter(stage)
    const by = stage === 'hearing' ? 'bell' : stage === 'left' ? 'left' : 'looks'
    const why = stage === 'looking' ? (because ?? 'the owner does not ring') : undefined
    if (by !== this.#hearing.by || why !== this.#hearing.because) {
      this.#hearing = { by, because: why }
      this.#parts.send({ type: 'hearing', hearing: this.#hearing })
    }
  }

  /**
   * Takes in what is published up to there. Order as the writer's: the position, then the topic cells, then whoever waits. Of what was
   * deleted the first offsets come before the position below which files are gone: who misses a file then knows why.
   */
  #takeIn(upTo: number, trim: number): void {
    const { state, words, application, topics, files, walk } = this.#parts
    words.take()
    try {
      this.#catchUp()
      // The application's thread may have heard more by now.
      const published = Math.max(upTo, this.#known.published)
      assert(trim <= published, 'what is deleted was published')
      const before = this.#known.published
      for (const step of walk.advance(published, trim)) {
        let records = 0
        for (const found of step.topics) records += topics.meet(found)
        words.publish(step, records)
        topics.publish(step.topics)
        this.#known = { ...this.#known, published: step.position }
        state.activeSegment.store(files.segmentOf(step.position))
        application.ringIfAsleep()
      }
      if (trim > this.#known.trim) this.#trimTo(trim)
      if (files.segmentOf(before) !== files.segmentOf(this.#known.published)) this.#findFooters()
    } finally {
      words.giveBack()
    }
  }

  /** What the application's thread has taken in is known. */
  #catchUp(): void {
    const { words, walk } = this.#parts
    const { published } = words
    assert(published >= this.#known.published, 'what is published stays published')
    this.#known = { ...this.#known, published }
    walk.pass(published)
  }

  /** Whether, and until when, the application's thread may believe the bell. */
  #tellBelief(epoch: number): void {
    const { state, sharedMs } = this.#parts
    state.believedUntil.store((sharedMs() + believedMs) | 0)
    state.believedEpoch.store(epoch)
  }

  /** Files below are gone, or go now. */
  #trimTo(trim: number): void {
    const { state, topics } = this.#parts
    state.indexed.store(Math.max(state.indexed.load(), trim))
    topics.trimTo(trim, this.#known.published)
    this.#known = { ...this.#known, trim }
    state.trim.store(trim)
    // Who has deleted files open keeps their space; and who misses one waits for this.
    state.retirements.ring()
  }

  /** Segments whose index the owner has written meanwhile are read by it. */
  #findFooters(): void {
    const { state, files, hasFooter } = this.#parts
    const last = files.segmentOf(this.#known.published)
    for (let segment = files.segmentOf(state.indexed.load()); segment < last && hasFooter(segment); segment++)
      state.indexed.store(files.base(segment + 1))
  }

  #lose(why: string): void {
    this.#enter('lost')
    this.#tellBelief(noEpoch)
    this.close()
    const { directory, send } = this.#parts
    const message = `the log in ${directory} is not the one any more that is followed: ${why}. Close it, and open it anew`
    const { name, code, stack } = new BookendError('BOOKEND_FORMAT', message, { file: directory })
    send({ type: 'lost', error: { name, message, code, stack, isBookend: true, details: { file: directory } } })
  }

  #enter(next: FollowerStage): void {
    assert(mayFollow[this.#stage].includes(next), `a follower may be ${next} after ${this.#stage}`)
    this.#stage = next
  }
}
