/**
 * A disk in memory that remembers what a power cut may take: since the last flush every 512-byte sector may be
 * absent, at any state in between, or present, and names may be missing until their directory is flushed.
 *
 * The storage code runs on it unchanged: files through {@link Disk}, windows through {@link Memory} (as mappings with
 * made-up addresses, or as plain files), allocation, flushing and retiring through {@link SystemCalls}.
 */
import path from 'node:path'
import { errno, failedCall } from '../../src/memory/errno.js'
import { type Memory, pageBytes, type SystemCalls, type Window } from '../../src/memory/memory.js'
import { checkBounds, readEachRange } from '../../src/memory/window-bounds.js'
import type { Disk, DiskFile } from '../../src/storage/files/disk.js'
import { type DiskEvent, type ImageStyle, PowerCuts, resized, sectorBytes } from './power-cuts.js'
import type { Seeded } from './seeded.js'

const blankPage = new Uint8Array(pageBytes)

interface Inode {
  id: number
  content: Uint8Array<ArrayBuffer>
  /** It has blocks up to here: a store into a mapping behind it would be a signal on a full disk. */
  blocks: number
  /** The latest one: a file keeps its descriptor when it is renamed. */
  name: string
}

/** What a lying disk does differently: the mutants of the crash tests. */
export interface Lies {
  /** Flushes of directories whose path ends so never happen. */
  syncDirectory?: string
  /** Flushes of files whose path ends so never happen. */
  sync?: string
  /** Writes of nothing but zeros are lost: a torn tail stays. */
  zeroing?: boolean
}

/** A call as the tests want to see it. */
export interface DiskCall {
  call: 'list' | 'open' | 'create' | 'write' | 'sync' | 'rename' | 'remove' | 'syncDirectory' | 'allocate' | 'retire'
  file: string
}

export class SimulatedDisk implements Disk {
  readonly events: DiskEvent[] = []
  readonly calls: DiskCall[] = []
  lies: Lies = {}
  /** Throws from the call it is asked about, where it wants to. An error's `written` says how many bytes a write took before. */
  fault: (call: DiskCall) => void = () => {}
  /** Unfinished {@link DiskFile.syncLater} calls, oldest first; `finishSyncs` ends them. Undefined: they end at once. */
  #laterSyncs: (() => void)[] | undefined
  readonly #names = new Map<string, Inode>()
  readonly #inodes = new Map<number, Inode>()
  readonly #descriptors = new Map<number, Inode>()
  readonly #broken: { inode: Inode; from: number; to: number }[] = []
  #cuts = new PowerCuts(this.events, new Map(), new Map())
  #nextDescriptor = 1_000
  #nextInode = 1

  holdSyncs(): void {
    this.#laterSyncs ??= []
  }

  finishSyncs(): number {
    const waiting = this.#laterSyncs ?? []
    this.#laterSyncs = this.#laterSyncs === undefined ? undefined : []
    for (const finish of waiting) finish()
    return waiting.length
  }

  // What the storage code sees.

  list(directory: string): string[] {
    const prefix = `${directory}${path.sep}`
    const inside = [...this.#names.keys()].filter((name) => name.startsWith(prefix))
    return [...new Set(inside.map((name) => name.slice(prefix.length).split(path.sep)[0]))]
  }

  makeDirectory(): void {}

  open(file: string, _access: 'read' | 'write'): DiskFile | undefined {
    this.note('open', file)
    const inode = this.#names.get(file)
    return inode === undefined ? undefined : this.#fileOf(inode)
  }

  create(file: string): DiskFile {
    this.note('create', file)
    if (this.#names.has(file)) throw Object.assign(new Error(`EEXIST: ${file}`), { code: 'EEXIST' })
    const inode = { id: this.#nextInode++, content: new Uint8Array(0), blocks: 0, name: file }
    this.#inodes.set(inode.id, inode)
    this.#names.set(file, inode)
    this.events.push({ kind: 'create', name: file, inode: inode.id })
    return this.#fileOf(inode)
  }

  identityAt(file: string): string | undefined {
    return this.#names.get(file)?.id.toString()
  }

  rename(from: string, to: string): void {
    this.note('rename', to)
    const inode = this.inode(from)
    inode.name = to
    this.#names.set(to, inode)
    this.#names.delete(from)
    this.events.push({ kind: 'rename', from, to })
  }

  remove(file: string): void {
    this.note('remove', file)
    this.inode(file)
    this.#names.delete(file)
    this.events.push({ kind: 'remove', name: file })
  }

  removeDirectory(): void {}

  syncDirectory(directory: string): void {
    this.note('syncDirectory', directory)
    if (this.lies.syncDirectory !== undefined && directory.endsWith(this.lies.syncDirectory)) return
    this.events.push({ kind: 'syncDirectory', directory })
  }

  // What the tests do to it.

  has(file: string): boolean {
    return this.#names.has(file)
  }

  /** The file's bytes, to look at and to damage. */
  bytes(file: string): Uint8Array<ArrayBuffer> {
    return this.inode(file).content
  }

  put(file: string, content: Uint8Array): void {
    this.#adopt(file, content.slice())
  }

  /** Like {@link put}, without a copy. */
  #adopt(file: string, content: Uint8Array<ArrayBuffer>): void {
    const inode = { id: this.#nextInode++, content, blocks: writtenEnd(content), name: file }
    this.#inodes.set(inode.id, inode)
    this.#names.set(file, inode)
  }

  drop(file: string): void {
    this.#names.delete(file)
  }

  truncate(file: string, size: number): void {
    const inode = this.inode(file)
    inode.content = inode.content.slice(0, size)
  }

  /** The device does not give the blocks of `[from, to)` any more, in no way of reading. */
  breakBlocks(file: string, from: number, to: number): void {
    this.#broken.push({ inode: this.inode(file), from, to })
  }

  /** @throws what the kernel says of a block that the device does not give */
  checkBlocks(inode: Inode, at: number, length: number): void {
    for (const { inode: broken, from, to } of this.#broken) {
      const isHit =
        broken === inode && at < Math.ceil(to / pageBytes) * pageBytes && at + length > from - (from % pageBytes)
      if (isHit) throw failedCall('read', errno.EIO, inode.name)
    }
  }

  /** Open files: none is left by whoever is done with the disk. */
  get openFiles(): number {
    return this.#descriptors.size
  }

  /** Everything on it, as a string that changes with any byte and any name. */
  fingerprint(): string {
    return [...this.#names]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { content }]) => `${name} ${content.length} ${Buffer.from(content).toString('latin1')}`)
      .join('\n')
  }

  /** A second disk with the same files, all of them flushed. */
  copy(): SimulatedDisk {
    const twin = new SimulatedDisk()
    for (const [name, { content }] of this.#names) twin.put(name, content)
    return twin
  }

  /** Starts recording anew: what is there now counts as flushed. */
  settle(): void {
    this.events.length = 0
    const names = new Map([...this.#names].map(([name, inode]) => [name, inode.id]))
    const contents = new Map([...this.#inodes].map(([id, { content }]) => [id, content.slice()]))
    this.#cuts = new PowerCuts(this.events, names, contents)
  }

  /** The disk after a power cut behind the first `eventCount` events. */
  imageAfter(eventCount: number, random: Seeded, style: ImageStyle): SimulatedDisk {
    const image = new SimulatedDisk()
    for (const [name, content] of this.#cuts.filesAfter(eventCount, random, style)) image.#adopt(name, content)
    return image
  }

  // For the memory and the system calls below.

  inode(file: string): Inode {
    const inode = this.#names.get(file)
    if (inode === undefined) throw Object.assign(new Error(`ENOENT: ${file}`), { code: 'ENOENT' })
    return inode
  }

  writeTo(inode: Inode, at: number, bytes: Uint8Array): void {
    if (this.lies.zeroing === true && bytes.every((byte) => byte === 0)) return
    if (at + bytes.length > inode.content.length) inode.content = resized(inode.content, at + bytes.length)
    inode.content.set(bytes, at)
    if (at <= inode.blocks) inode.blocks = Math.max(inode.blocks, pageEnd(at + bytes.length))
    this.events.push({ kind: 'write', inode: inode.id, at, bytes: bytes.slice() })
  }

  syncTo(inode: Inode, from: number, to: number, upTo: number): void {
    if (this.lies.sync !== undefined && inode.name.endsWith(this.lies.sync)) return
    this.events.push({ kind: 'sync', inode: inode.id, from, to, upTo })
  }

  later(done: () => void): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        done()
        resolve()
      }
      if (this.#laterSyncs === undefined) finish()
      else this.#laterSyncs.push(finish)
    })
  }

  note(call: DiskCall['call'], file: string): void {
    const what = { call, file }
    this.calls.push(what)
    this.fault(what)
  }

  allocate(descriptor: number, to: number, from: number): void {
    const inode = this.#descriptors.get(descriptor) as Inode
    this.note('allocate', inode.name)
    if (to > inode.content.length) this.#resize(inode, to)
    if (from <= inode.blocks) inode.blocks = Math.max(inode.blocks, to)
  }

  #resize(inode: Inode, size: number): void {
    inode.content = resized(inode.content, size)
    this.events.push({ kind: 'size', inode: inode.id, size })
  }

  #fileOf(inode: Inode): DiskFile {
    const descriptor = this.#nextDescriptor++
    this.#descriptors.set(descriptor, inode)
    return {
      descriptor,
      read: (at, length) => {
        this.checkBlocks(inode, at, length)
        return inode.content.slice(at, at + length)
      },
      write: (at, bytes) => {
        this.note('write', inode.name)
        this.writeTo(inode, at, bytes)
      },
      size: () => inode.content.length,
      resize: (byteLength) => this.#resize(inode, byteLength),
      writtenEnd: () => writtenEnd(inode.content),
      sync: () => {
        this.note('sync', inode.name)
        this.syncTo(inode, 0, Number.POSITIVE_INFINITY, this.events.length)
      },
      syncLater: async () => {
        this.note('sync', inode.name)
        const upTo = this.events.length
        await this.later(() => this.syncTo(inode, 0, Number.POSITIVE_INFINITY, upTo))
      },
      close: () => {
        this.#descriptors.delete(descriptor)
      },
    }
  }
}

/** By page, as file systems tell it. */
function writtenEnd(content: Uint8Array): number {
  let end = content.length
  // Whole pages at once: most of a segment has never been written.
  while (end >= pageBytes && Buffer.compare(content.subarray(end - pageBytes, end), blankPage) === 0) end -= pageBytes
  while (end > 0 && content[end - 1] === 0) end -= 1
  return Math.min(content.length, pageEnd(end))
}

/** Windows on the simulated disk. Mapped ones have addresses, can be retired, and read zeros from then on. */
export class SimulatedMemory implements Memory {
  readonly kind = 'file'
  readonly #disk: SimulatedDisk
  readonly #isMapped: boolean
  readonly mapped = new Map<number, SimulatedWindow>()
  #nextAddress = 2 ** 33

  constructor(disk: SimulatedDisk, isMapped: boolean) {
    this.#disk = disk
    this.#isMapped = isMapped
  }

  open(file: string, byteLength: number, access: 'read' | 'write'): Window {
    const inode = this.#disk.inode(file)
    if (inode.content.length < byteLength) throw failedCall('mmap', errno.EINVAL, `${file} is too short`)
    const address = this.#isMapped ? this.#nextAddress : 0
    this.#nextAddress += byteLength + pageBytes
    const window = new SimulatedWindow(this, this.#disk, inode, file, byteLength, address, access === 'write')
    if (address !== 0) this.mapped.set(address, window)
    return window
  }
}

class SimulatedWindow implements Window {
  readonly byteLength: number
  address: number
  bytes = new Uint8Array(0)
  isRetired = false
  readonly inode: Inode
  readonly file: string
  readonly #memory: SimulatedMemory
  readonly #disk: SimulatedDisk
  readonly #isWritable: boolean
  #placedAt = 0

  constructor(
    memory: SimulatedMemory,
    disk: SimulatedDisk,
    inode: Inode,
    file: string,
    byteLength: number,
    address: number,
    isWritable: boolean,
  ) {
    this.#memory = memory
    this.#disk = disk
    this.inode = inode
    this.file = file
    this.byteLength = byteLength
    this.address = address
    this.#isWritable = isWritable
  }

  expect(): void {}

  read(at: number, length: number): Uint8Array<ArrayBuffer> {
    checkBounds(at, length, this.byteLength)
    if (this.isRetired) return new Uint8Array(length)
    this.#disk.checkBlocks(this.inode, at, length)
    if (at + length > this.inode.content.length) throw failedCall('read', errno.EFAULT, 'the file was truncated')
    return this.inode.content.slice(at, at + length)
  }

  readInto(target: Uint8Array, targetAt: number, at: number, length: number): void {
    checkBounds(at, length, this.byteLength)
    if (!this.isRetired) this.#disk.checkBlocks(this.inode, at, length)
    if (this.isRetired) target.fill(0, targetAt, targetAt + length)
    else if (at + length > this.inode.content.length) throw failedCall('read', errno.EFAULT, 'the file was truncated')
    else target.set(this.inode.content.subarray(at, at + length), targetAt)
  }

  readRanges(target: Uint8Array, ranges: Uint32Array, count: number): void {
    readEachRange(this, target, ranges, count)
  }

  /** Ordinary memory, which others own: not lent. */
  lend(): undefined {}

  place(at: number, length: number): number {
    checkBounds(at, length, this.byteLength)
    if (!this.#isWritable || this.isRetired) throw new TypeError('a store into this window would be a signal')
    // Old contents instead of zeros: who places a range has to fill all of it.
    this.bytes = new Uint8Array(length).fill(0xa5)
    this.#placedAt = at
    return 0
  }

  commit(at: number, length: number): void {
    if (this.address !== 0 && at + length > this.inode.blocks) throw new TypeError(`a store into a hole at ${at}`)
    this.#disk.note('write', this.file)
    const from = at - this.#placedAt
    this.#disk.writeTo(this.inode, at, this.bytes.subarray(from, from + length))
  }

  write(at: number, parts: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(parts)
    checkBounds(at, bytes.length, this.byteLength)
    if (!this.#isWritable || this.isRetired) throw new TypeError('the window was opened for reading or is retired')
    try {
      this.#disk.note('write', this.file)
    } catch (error) {
      // Blocks are written or not, so what was taken ends with one.
      const { written = 0 } = error as { written?: number }
      const end = Math.min(at + written, at + bytes.length)
      this.#disk.writeTo(this.inode, at, bytes.subarray(0, Math.max(0, end - (end % sectorBytes) - at)))
      throw error
    }
    this.#disk.writeTo(this.inode, at, bytes)
  }

  close(): void {
    this.#memory.mapped.delete(this.address)
    this.address = 0
  }
}

export class SimulatedSystemCalls implements SystemCalls {
  readonly isNative: boolean
  readonly retired: { file: string; address: number }[] = []
  readonly #disk: SimulatedDisk
  readonly #memory: SimulatedMemory

  constructor(disk: SimulatedDisk, memory: SimulatedMemory, isNative = true) {
    this.#disk = disk
    this.#memory = memory
    this.isNative = isNative
  }

  allocate(descriptor: number, to: number, from = 0): void {
    this.#disk.allocate(descriptor, to, from)
  }

  populateWrite(address: number, byteLength: number): boolean {
    this.#windowAt(address, byteLength)
    return true
  }

  lockPages(address: number, byteLength: number): undefined {
    this.#windowAt(address, byteLength)
  }

  async syncRange(address: number, byteLength: number): Promise<void> {
    const { window, at } = this.#windowAt(address, byteLength)
    this.#disk.note('sync', window.file)
    const upTo = this.#disk.events.length
    await this.#disk.later(() => this.#disk.syncTo(window.inode, at, pageEnd(at + byteLength), upTo))
  }

  releaseFreeMemory(): void {}
  yieldProcessor(): void {}

  retire(address: number, byteLength: number): void {
    const { window, at } = this.#windowAt(address, byteLength, true)
    // It goes in steps; from the first on, nobody may look.
    window.isRetired = true
    if (at > 0) return
    this.#disk.note('retire', window.file)
    this.retired.push({ file: window.file, address })
  }

  /** Nobody looks there any more: for the simulation that is the same. */
  unmap(address: number, byteLength: number): void {
    this.retire(address, byteLength)
  }

  residentPages(): number {
    return -1
  }

  lock(): boolean {
    return true
  }

  #windowAt(address: number, byteLength: number, mayBeRetired = false): { window: SimulatedWindow; at: number } {
    for (const [start, window] of this.#memory.mapped) {
      if (address < start || address + byteLength > start + window.byteLength) continue
      if (window.isRetired && !mayBeRetired) throw failedCall('msync', errno.EINVAL, 'the range was retired')
      return { window, at: address - start }
    }
    throw failedCall('madvise', errno.EINVAL, `nothing is mapped at ${address}`)
  }
}

function pageEnd(at: number): number {
  return Math.ceil(at / pageBytes) * pageBytes
}
