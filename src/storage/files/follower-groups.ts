/**
 * How far the groups of followers have come: a file for each group, `followers/groups/<topic>/<group>`, in the form of a groups file with one
 * cell. The process that uses the group holds the file's lock; everybody may read it. Its owner's retention does, so that what a follower
 * has still to consume stays.
 */
import fs from 'node:fs'
import path from 'node:path'
import { BookendError } from '../../errors.js'
import type { GroupState } from '../../format/group-layout.js'
import { namePattern } from '../../limits.js'
import type { SystemCalls } from '../../memory/memory.js'
import type { Disk, DiskFile } from './disk.js'
import { GroupFile } from './group-file.js'
import { lockHolder } from './log-owner.js'
import { takeLocks } from './ownership.js'

/** The one cell of the file. */
const cell = 0

/** A group of some follower, as its file says. */
export interface FollowerGroup {
  topic: string
  name: string
  file: string
  /** Undefined: the file is damaged, and nobody knows. */
  state: GroupState | undefined
}

/** A group that this process has, until it is closed. */
export interface HeldGroup {
  readonly state: GroupState
  /** Of the newest record. */
  readonly sequence: number
  writeSector(sequence: number, sector: Uint8Array): void
  rewriteRecords(sequence: number): void
  syncLater(): Promise<void>
  /** Forgets the group. */
  remove(): void
  close(): void
}

export class FollowerGroups {
  readonly #disk: Disk
  readonly #directory: string
  readonly #logId: string
  readonly #calls: Pick<SystemCalls, 'lock'>
  readonly #folder: string

  constructor(disk: Disk, directory: string, logId: string, calls: Pick<SystemCalls, 'lock'>) {
    this.#disk = disk
    this.#directory = directory
    this.#logId = logId
    this.#calls = calls
    this.#folder = path.join(directory, 'followers', 'groups')
  }

  /** The groups of a topic, or of all. Those of another log are none. */
  list(topic?: string): FollowerGroup[] {
    const topics = topic === undefined ? this.#names(this.#folder) : [topic]
    return topics.flatMap((each) =>
      this.#names(path.join(this.#folder, each)).flatMap((name) => {
        const found = this.find(each, name)
        return found === undefined ? [] : [found]
      }),
    )
  }

  /** Undefined: there is none. */
  find(topic: string, name: string): FollowerGroup | undefined {
    const file = this.#path(topic, name)
    const open = this.#disk.open(file, 'read')
    if (open === undefined) return undefined
    try {
      const group = GroupFile.on(open, file, this.#logId)
      if (group.foreignMark !== undefined) return undefined
      return { topic, name, file, state: group.read().groups[0]?.state }
    } finally {
      open.close()
    }
  }

  /**
   * Takes the group for this process, and makes it, durably, if there is none.
   * @param committed where a new group begins
   * @throws `BOOKEND_LOCKED` if another process has it, `BOOKEND_FORMAT` for a damaged file; system errors as they are
   */
  take(topic: string, name: string, committed: number): HeldGroup {
    const where = this.#path(topic, name)
    this.#disk.makeDirectory(path.dirname(where))
    const found = this.#disk.open(where, 'write')
    const file = found ?? this.#disk.create(where)
    try {
      if (!takeLocks(this.#calls, [{ path: where, descriptor: file.descriptor }])) throw heldError(topic, name, where)
      return this.#held(topic, name, where, file, committed)
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** Forgets a group whose process is gone. @throws `BOOKEND_LOCKED` if it is not */
  forget({ topic, name, file: where }: FollowerGroup): void {
    const file = this.#disk.open(where, 'write')
    if (file === undefined) return
    try {
      if (!takeLocks(this.#calls, [{ path: where, descriptor: file.descriptor }])) throw heldError(topic, name, where)
      this.#remove(where)
    } finally {
      file.close()
    }
  }

  /** Makes durable what the files of a topic say. */
  sync(topic: string): void {
    for (const name of this.#names(path.join(this.#folder, topic))) {
      const file = this.#disk.open(this.#path(topic, name), 'write')
      if (file === undefined) continue
      try {
        file.sync()
      } finally {
        file.close()
      }
    }
  }

  #held(topic: string, name: string, where: string, file: DiskFile, committed: number): HeldGroup {
    const group = GroupFile.on(file, where, this.#logId)
    if (isUnmade(group, file)) this.#make(group, where, topic, name, committed)
    const [found] = group.foreignMark === undefined ? group.read().groups : []
    if (found === undefined || found.topic !== topic || found.name !== name || found.sequence === 0) {
      const message = `${where} is damaged or of another log, so that nobody knows how far group "${name}" of topic "${topic}" has come: "bookend groups ${this.#directory} --remove ${name}" forgets it, and it begins anew`
      throw new BookendError('BOOKEND_FORMAT', message, { file: where })
    }
    const { state, sequence } = found
    return {
      state,
      sequence,
      writeSector: (next, sector) => group.writeSector(cell, next, sector),
      rewriteRecords: (last) => group.rewriteRecords(cell, last),
      syncLater: () => group.syncLater(),
      remove: () => this.#remove(where),
      close: () => file.close(),
    }
  }

  #make(group: GroupFile, where: string, topic: string, name: string, committed: number): void {
    group.writeHeader()
    // The record is durable before the identity is there: a group has a state.
    group.writeFirstRecord(cell, { sequence: 1, state: { committed, ranges: [] } })
    group.sync()
    group.writeIdentity(cell, { topic, name })
    group.sync()
    this.#disk.syncDirectory(path.dirname(where))
    // The owner makes the folder above without flushing it.
    this.#disk.syncDirectory(this.#directory)
  }

  #remove(where: string): void {
    this.#disk.remove(where)
    this.#disk.syncDirectory(path.dirname(where))
  }

  #path(topic: string, name: string): string {
    return path.join(this.#folder, topic, name)
  }

  #names(folder: string): string[] {
    try {
      return this.#disk.list(folder, true).filter((name) => namePattern.test(name))
    } catch (error) {
      // A file that somebody has put there.
      if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return []
      throw error
    }
  }
}

/** New, or left half made by a crash: without an identity it says nothing of any group. */
function isUnmade(group: GroupFile, file: DiskFile): boolean {
  if (file.size() === 0) return true
  const { groups, damages } = group.read()
  return groups.length + damages.length === 0
}

function heldError(topic: string, name: string, where: string): BookendError {
  const status = fs.lstatSync(where, { throwIfNoEntry: false })
  const pid = status === undefined ? undefined : lockHolder([status], undefined)
  const isTold = typeof pid === 'number' && pid > 0
  const who = !isTold ? 'another process' : pid === process.pid ? 'another log of this process' : `process ${pid}`
  const message = `group "${name}" of topic "${topic}" is in use by ${who}: one process has a group at a time. Close it there, or take another name`
  return new BookendError('BOOKEND_LOCKED', message, { file: where })
}
