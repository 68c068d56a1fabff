/** The engines that must all behave alike, and a log over each of them. The cases beside this file ask for no file, segment or thread. */
import { createRequire } from 'node:module'
import type { Log, OpenOptions } from 'bookend'
import { describe, onTestFinished } from 'vitest'
import { EngineLog } from '../../../src/log/log.js'
import { openLog as openLocalLog, temporaryFolder } from '../../scenarios/support.js'
import { MemoryEngine } from '../../support/memory-engine/memory-engine.js'

/** What a case may rely on beside appends, reads, groups and queues. */
export interface EngineUnderTest {
  readonly name: string
  readonly supports: { readonly scan: boolean; readonly process: boolean; readonly disk: boolean }
  /** A new, empty log, closed when the test ends. */
  open(options?: Pick<OpenOptions, 'maxMessageBytes' | 'ringBytes'>): Promise<Log>
}

const everything = { scan: true, process: true, disk: true }

function local(name: string, io: OpenOptions['io']): EngineUnderTest {
  return { name, supports: everything, open: (options) => openLocalLog(temporaryFolder(), { io, ...options }) }
}

const inMemory: EngineUnderTest = {
  name: 'arrays',
  supports: { scan: false, process: false, disk: false },
  async open() {
    const log = new EngineLog(new MemoryEngine())
    onTestFinished(() => log.close())
    return log
  },
}

/** `mmap` maps through mmap-io where that is built, through koffi otherwise. */
function isMmapIoBuilt(): boolean {
  try {
    createRequire(import.meta.url)('mmap-io')
    return true
  } catch {
    return false
  }
}

export const engines: readonly EngineUnderTest[] = [
  local(isMmapIoBuilt() ? 'mmap, mmap-io' : 'mmap, koffi', 'mmap'),
  local('file', 'file'),
  inMemory,
]

/** Declares the cases once for each engine. */
export function onEveryEngine(cases: (engine: EngineUnderTest) => void): void {
  describe.each(engines)('$name', cases)
}
