import type { MemoryKind } from '../memory/memory.js'
import type { HandlerSetting } from './reader/handler.js'

/** How the application wants segments to be reached. */
export type OpenIo = 'auto' | 'mmap' | 'file'

/** What all threads of one open log share; travels to each in its `workerData`. */
export interface SharedMemory {
  state: SharedArrayBuffer
  lanes: SharedArrayBuffer
  ring: SharedArrayBuffer
  slots: SharedArrayBuffer
  topics: SharedArrayBuffer
  times: SharedArrayBuffer
  rows: SharedArrayBuffer
  groups: SharedArrayBuffer
  /** The same for all logs of the process. */
  remains: SharedArrayBuffer
  /** Likewise: see ring/loading-words.ts. */
  loading: SharedArrayBuffer
  directory: string
  io: OpenIo
  /** Bound of the address space that mappings of segments take. */
  maxMappedBytes: number
  /** Another process writes the log: it may delete segments at any time. */
  isFollower: boolean
}

export interface ReaderData {
  shared: SharedMemory
  /** Of the log. */
  id: string
  segmentBytes: number
  io: MemoryKind
  /** What who has opened the log has read of sealed segments: see storage/index/handed-footers.ts. */
  footers: SharedArrayBuffer
  /** In a thread of a processor. */
  handler?: HandlerSetting
}
