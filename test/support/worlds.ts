/** Where the storage code runs in a test: on real files, reached in each way there is, or on the simulated disk. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { FileMemory } from '../../src/memory/file-window.js'
import { loadMemory } from '../../src/memory/load.js'
import type { Memory, MemoryKind, SystemCalls } from '../../src/memory/memory.js'
import { loadSystemCalls } from '../../src/memory/system-calls.js'
import { type Disk, nodeDisk } from '../../src/storage/files/disk.js'
import type { Owner } from '../../src/storage/files/ownership.js'
import { SimulatedDisk, SimulatedMemory, SimulatedSystemCalls } from './simulated-disk.js'
import { SimulatedNowFiles } from './simulated-now.js'

/** Of a log that nobody else can open. */
export const soleOwner: Owner = { isKept: () => true, isKeptOfLate: () => true }

export interface World {
  disk: Disk
  /** Of the writer and the readers. */
  memory: Memory
  /** Never maps. */
  plainMemory: Memory
  calls: SystemCalls
  directory: string
  /** What of its files is in memory, where a test can say so. */
  now?: SimulatedNowFiles
  dispose(): void
}

export interface SimulatedWorld extends World {
  disk: SimulatedDisk
  memory: SimulatedMemory
  calls: SimulatedSystemCalls
  now: SimulatedNowFiles
}

export function simulatedWorld(disk = new SimulatedDisk(), isMapped = true): SimulatedWorld {
  const memory = new SimulatedMemory(disk, isMapped)
  const plainMemory = new SimulatedMemory(disk, false)
  const calls = new SimulatedSystemCalls(disk, memory)
  const now = new SimulatedNowFiles(disk)
  return { disk, memory, plainMemory, calls, now, directory: '/log', dispose() {} }
}

/** A folder of real files; in memory where the system offers that, as these tests are not about the device. */
export function realWorld(kind: MemoryKind): World {
  const parent = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir()
  const directory = fs.mkdtempSync(path.join(parent, 'bookend-storage-'))
  const calls = loadSystemCalls()
  return {
    disk: nodeDisk,
    memory: loadMemory(kind, calls),
    plainMemory: new FileMemory(),
    calls,
    directory,
    dispose: () => fs.rmSync(directory, { recursive: true }),
  }
}

/** Kinds of memory that load here; says why the others do not. */
export function memoryKinds(): { kind: MemoryKind; missing: string | undefined }[] {
  return (['file', 'koffi', 'mmap-io'] as const).map((kind) => {
    try {
      loadMemory(kind, loadSystemCalls())
      return { kind, missing: undefined }
    } catch (error) {
      return { kind, missing: (error as Error).message }
    }
  })
}
