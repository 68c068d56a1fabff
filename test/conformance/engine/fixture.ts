/**
 * The engines that must all behave alike, and logs over each of them. The cases beside this file ask for no file, segment or thread, and
 * for no figure of the local engine: what they say holds for whatever implements the contract.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { connect, type Log, type OpenOptions, open, type SegmentInfo } from 'bookend'
import { open as openJetStream } from 'bookend/jetstream'
import { afterAll, beforeAll, describe, expect, onTestFinished } from 'vitest'
import { serverBinary, withoutServer } from '../../../bench/servers/binary.js'
import type { Engine } from '../../../src/engine/engine.js'
import { openJetStream as openJetStreamEngine } from '../../../src/jetstream/jetstream-engine.js'
import { completeOptions as completeJetStreamOptions } from '../../../src/jetstream/options.js'
import { EngineLog } from '../../../src/log/log.js'
import { completeOptions } from '../../../src/log/options.js'
import { small, temporaryFolder } from '../../scenarios/support.js'
import { MemoryEngine } from '../../support/memory-engine/memory-engine.js'
import { Servers } from '../../support/nats/servers.js'
import { OwnerThread } from '../../support/owner-thread.js'

/** What a case may ask for. */
export type LogOptions = Pick<OpenOptions, 'maxMessageBytes' | 'ringBytes' | 'readers'>

/** What a case may rely on beside appends, reads, groups and queues. */
export interface Supported {
  readonly scan: boolean
  readonly process: boolean
  readonly retention: boolean
  readonly disk: boolean
  /** What has a meaning for files of this process only. */
  readonly local: boolean
  /** Transactions, registers and producers. */
  readonly transactions: boolean
  /** Of calls under way at the same time, the one that was made first takes effect first. */
  readonly callOrder: boolean
}

export interface EngineUnderTest {
  readonly name: string
  readonly supports: Supported
  /** A new, empty log, closed when the test ends: for cases that close it, or need options. */
  open(options?: LogOptions): Promise<Log>
  /** The log that the cases of this file share, and a name for a topic or queue that no other case has. */
  shared(): Promise<{ readonly log: Log; readonly name: string }>
  /** The engine of another log that they share, without the public face. */
  sharedEngine(): Promise<{ readonly engine: Engine; readonly name: string }>
}

/** Where logs to read come from. */
export interface ReaderUnderTest {
  readonly name: string
  readonly supports: Supported
  readonly isReadOnly: boolean
  /** What is appended elsewhere would be seen. */
  readonly goesOn: boolean
  /** The log that was filled. */
  readonly log: Log
}

/** How an engine is opened. */
interface Opener {
  readonly name: string
  readonly supports: Supported
  /** Whether a closed log is read by a read-only opener as well; mapping twice would show the same of that. */
  readonly hasReadOnly: boolean
  /** Where its folders are. */
  readonly parent: string
  open(directory: string, options: OpenOptions): Promise<Log>
  openEngine(directory: string): Promise<Engine>
}

/** One copy of the library. */
interface Library {
  open: typeof open
  openLocalEngine(options: ReturnType<typeof completeOptions>): Promise<Engine>
}

const root = fileURLToPath(new URL('../../../', import.meta.url))
/** Three, where a cluster is asked for. */
const replicas = Number(process.env.BOOKEND_REPLICAS ?? 1)
const everything: Supported = {
  scan: true,
  process: true,
  retention: true,
  disk: true,
  local: true,
  transactions: true,
  callOrder: true,
}

/** `npm run test:packed`: the sealed segments of every log of files are packed, at once. */
const compress = process.env.BOOKEND_PACKED === undefined ? undefined : ({ afterMs: 0, codec: 'deflate' } as const)

const inMemory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

const openers: readonly Opener[] = [
  ...(isMmapIoBuilt() ? [local('mmap, mmap-io', 'mmap', root), local('mmap, koffi', 'mmap', undefined)] : []),
  ...(isMmapIoBuilt() ? [] : [local('mmap, koffi', 'mmap', root)]),
  // On a disk, where the calling thread can tell what is in memory: there it reads that itself.
  local('file', 'file', root, tmpdir()),
  connected('connected, reads here', 'here'),
  connected('connected, reads in the pool', 'pool'),
  {
    name: 'arrays',
    supports: {
      scan: false,
      process: false,
      retention: false,
      disk: false,
      local: false,
      transactions: false,
      callOrder: true,
    },
    hasReadOnly: false,
    parent: inMemory,
    open: async (_, options) => new EngineLog(new MemoryEngine(options)),
    openEngine: async () => new MemoryEngine(),
  },
  ...(serverBinary === undefined ? [] : [jetStream()]),
]
if (serverBinary === undefined) describe.skip(`jetstream (${withoutServer})`, () => {})

/** Servers of this file, and on them a log of its own for each folder. */
function jetStream(): Opener {
  let servers: Promise<Servers> | undefined
  let logs = 0
  const options = async ({ ringBytes, maxMessageBytes, readers }: OpenOptions) => {
    servers ??= Servers.start({ nodes: replicas })
    const name = `log${logs++}`
    return {
      urls: (await servers).urls,
      options: { ...{ name, replicas, batchMessages: 20_000 }, ringBytes, maxMessageBytes, readers },
    }
  }
  return {
    name: `jetstream, ${replicas === 1 ? 'one node' : `${replicas} nodes`}`,
    supports: {
      scan: true,
      process: true,
      retention: true,
      disk: false,
      local: false,
      transactions: false,
      callOrder: false,
    },
    hasReadOnly: false,
    parent: inMemory,
    async open(_, asked) {
      const { urls, options: known } = await options(asked)
      return openJetStream(urls, known)
    },
    async openEngine() {
      const { urls, options: known } = await options({})
      return openJetStreamEngine(completeJetStreamOptions(urls, known))
    },
  }
}

/** @param from the folder of the library; undefined: one that finds no mmap-io, and maps through koffi */
function local(name: string, io: 'mmap' | 'file', from: string | undefined, parent = inMemory): Opener {
  const library = () => loadLibrary(from ?? withoutMmapIo())
  return {
    name,
    supports: everything,
    hasReadOnly: from === root,
    parent,
    open: async (directory, options) => {
      const log = await (await library()).open(directory, { ...fitting(options), io })
      expect(log.stats().io).toBe(name.split(' ').at(-1))
      return log
    },
    openEngine: async (directory) =>
      (await library()).openLocalEngine(completeOptions(directory, { ...small, io, compress })),
  }
}

/** Another thread has opened the log, and this one is connected to it: both are closed together. */
function connected(name: string, reads: 'here' | 'pool'): Opener {
  const io = 'mmap'
  return {
    name,
    supports: { ...everything, callOrder: false },
    hasReadOnly: false,
    parent: inMemory,
    async open(directory, options) {
      const owner = await OwnerThread.start(directory, { ...fitting(options), io })
      return closingWith(await connect(owner.port, { reads }), owner)
    },
    async openEngine(directory) {
      const owner = await OwnerThread.start(directory, { ...small, io, compress })
      const { connectEngine } = await import(
        pathToFileURL(path.join(root, 'dist/src/local/attached/connection.js')).href
      )
      return closingWith((await connectEngine(owner.port, reads)) as Engine, owner)
    },
  }
}

function closingWith<L extends { close(): Promise<void> }>(log: L, owner: OwnerThread): L {
  const detach = log.close.bind(log)
  log.close = () => detach().finally(() => owner.close())
  return log
}

async function loadLibrary(from: string): Promise<Library> {
  const load = (file: string) => import(pathToFileURL(path.join(from, 'dist/src', file)).href)
  return from === root
    ? { open, ...(await load('local/opening.js')) }
    : { ...(await load('index.js')), ...(await load('local/opening.js')) }
}

/** A large message needs a large segment. */
function fitting(options: OpenOptions): OpenOptions {
  const { maxMessageBytes = 0 } = options
  return {
    ...small,
    ...(options.readOnly === true ? {} : { compress }),
    ...(maxMessageBytes > 900_000 ? { segmentBytes: 2 * maxMessageBytes } : {}),
    ...options,
  }
}

function isMmapIoBuilt(): boolean {
  try {
    createRequire(import.meta.url)('mmap-io')
    return true
  } catch {
    return false
  }
}

let copied: string | undefined

/** The folder of a copy of the library, installed as where mmap-io could not be. */
function withoutMmapIo(): string {
  if (copied !== undefined) return copied
  const folder = mkdtempSync(path.join(tmpdir(), 'bookend-copy-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const packages = path.join(folder, 'node_modules')
  const copy = path.join(packages, 'bookend')
  const isCode = (source: string) => !/\.(d\.ts|map)$/.test(source)
  for (const part of ['dist/src', 'dist/workers', 'package.json'])
    cpSync(path.join(root, part), path.join(copy, part), { recursive: true, filter: isCode })
  for (const name of readdirSync(path.join(root, 'node_modules'))) {
    if (name.startsWith('.') || name === 'mmap-io') continue
    symlinkSync(path.join(root, 'node_modules', name), path.join(packages, name))
  }
  copied = copy
  return copy
}

/** A log that met no error in the background, whatever the case was about, is closed. */
async function closeSound(log: Log): Promise<void> {
  let errors: unknown
  try {
    errors = log.stats().errors
  } catch {
    // Closed by the case, or an engine that counts nothing.
  }
  await log.close()
  if (errors !== undefined) expect(errors).toEqual({ count: 0, last: undefined })
}

/** A folder that lasts as long as a file of tests. */
function lastingFolder(parent: string): string {
  return mkdtempSync(path.join(parent, 'bookend-conformance-'))
}

/** Declares the cases once for each engine. */
export function onEveryEngine(cases: (engine: EngineUnderTest) => void): void {
  describe.each(openers)('$name', (opener) => {
    let log: Promise<Log> | undefined
    let engine: Promise<Engine> | undefined
    let names = 0
    const folder = lastingFolder(opener.parent)
    afterAll(async () => {
      if (log !== undefined) await closeSound(await log)
      await (await engine)?.close()
      rmSync(folder, { recursive: true, force: true })
    })
    cases({
      name: opener.name,
      supports: opener.supports,
      async open(options = {}) {
        const log = await opener.open(temporaryFolder(opener.parent), options)
        onTestFinished(() => closeSound(log))
        return log
      },
      async shared() {
        log ??= opener.open(path.join(folder, 'log'), {})
        return { log: await log, name: `t${names++}` }
      },
      async sharedEngine() {
        engine ??= opener.openEngine(path.join(folder, 'engine'))
        return { engine: await engine, name: `t${names++}` }
      },
    })
  })
}

/** What was appended is sealed by something behind it, and packed. */
async function packAll(log: Log): Promise<void> {
  const filled = (await log.segments()).find(({ state }) => state === 'active')?.position
  const isIt = ({ position }: SegmentInfo) => position === filled
  const filler = log.topic('filler')
  for (;;) {
    const { state, packed } = (await log.segments()).find(isIt) as SegmentInfo
    if (packed !== undefined) return
    if (state === 'active') await filler.append(new Uint8Array(100_000).fill(97))
    else await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/**
 * Declares the cases once for each way to read: of the log that `fill` has written, and of what a read-only opener sees of it.
 * The cases share that log, and write nothing.
 */
export function onEveryReader(fill: (log: Log) => Promise<unknown>, cases: (reader: ReaderUnderTest) => void): void {
  const ways = openers.flatMap(({ name, supports, open, hasReadOnly, parent }) => [
    { title: name, supports, open, parent, way: 'owner' },
    ...(hasReadOnly ? [{ title: `${name}, read-only`, supports, open, parent, way: 'read-only' }] : []),
    ...(hasReadOnly ? [{ title: `${name}, follower`, supports, open, parent, way: 'follower' }] : []),
  ])
  describe.each(ways)('$title', ({ title, supports, open, parent, way }) => {
    let log: Log | undefined
    let owner: Log | undefined
    const folder = lastingFolder(parent)
    beforeAll(async () => {
      log = await open(folder, {})
      await fill(log)
      if (compress !== undefined && supports.disk) await packAll(log)
      if (way === 'owner') return
      // The owner of a log that is followed stays.
      if (way === 'follower') owner = log
      else await closeSound(log)
      log = await open(folder, { readOnly: true, follow: way === 'follower' })
    })
    afterAll(async () => {
      for (const each of [log, owner]) if (each !== undefined) await closeSound(each)
      rmSync(folder, { recursive: true, force: true })
    })
    cases({
      name: title,
      supports,
      isReadOnly: way !== 'owner',
      goesOn: way !== 'read-only',
      get log() {
        if (log === undefined) throw new Error('the log is there only while a case runs')
        return log
      },
    })
  })
}
