import { type QueueStore, type Store, type StoreOptions, Unavailable } from './contender.js'

/** Everybody that stores messages: the product first, then the physical limits, then the peers. */
export const storeNames = [
  'bookend',
  'bare',
  'bare-16k',
  'memcpy',
  'write-sync',
  'fdatasync',
  'sonic-boom',
  'lmdb',
  'better-sqlite3',
  'classic-level',
  'chronicle-queue',
  'rocketmq-store',
] as const
/** Ways to move the bytes of a segment, compared with each other. */
export const methodNames = ['read-write', 'mmap-write', 'sendfile', 'copy-file-range'] as const
/** A log on NATS servers, one or a cluster of three, and the client of those by itself. */
export const serverNames = ['jetstream-r1', 'jetstream-r3', 'nats-r1', 'nats-r3'] as const
/** Queues of jobs on a server of their own. */
export const jobPeerNames = ['bullmq', 'pg-boss'] as const
/** What an application would do without ports, and what the system does without a log. */
export const otherWayNames = ['post-message', 'file-watch'] as const
export const contenderNames = [
  ...storeNames,
  ...otherWayNames,
  ...jobPeerNames,
  ...serverNames,
  ...methodNames,
] as const
export type StoreName = (typeof storeNames)[number]
export type MethodName = (typeof methodNames)[number]
export type ContenderName = (typeof contenderNames)[number]

/** Names that `--peers` takes. `bare` brings both forms of the bare loop along. */
export const peerNames = [...storeNames, ...otherWayNames, ...jobPeerNames, ...serverNames].filter(
  (name) => name !== 'bookend' && name !== 'bare-16k',
)

/** Peers that come from the registry; the others need nothing but Node and the root's dependencies. */
export const packagedPeers: readonly ContenderName[] = [
  'sonic-boom',
  'lmdb',
  'better-sqlite3',
  'classic-level',
  ...jobPeerNames,
]

/** Those that find a message by its number, the product among them. */
export const peersWithGet: readonly ContenderName[] = ['bookend', 'lmdb', 'better-sqlite3', 'classic-level']

/** Peers in Java: their adapters stand in `java/`, and a JVM runs each of their jobs. */
export const javaPeers: readonly ContenderName[] = ['chronicle-queue', 'rocketmq-store']

/** Trees and tables, and a request for each message: slow enough that a short run gives them a quarter of the messages, except with --full. */
export const slowPeers: readonly ContenderName[] = ['lmdb', 'better-sqlite3', 'classic-level', 'nats-r1', 'nats-r3']

/** How each contender is set up: printed with every report, since a ratio means little without it. */
export const contenderSettings: Record<ContenderName, string> = {
  bookend:
    "open(directory) with defaults (128 MiB segments, 8 MiB ring, level 'process'; 'disk' in the disk cases); append: " +
    "offer, ready() where the ring is full, then flush('process'); read: `for await` over read() from the first " +
    'offset, value touched; readers in the scan cases as stated, in get-many one for every core',
  bare:
    'bare ring-to-mapping loop, no product code: 16-byte frames in an 8 MiB SharedArrayBuffer ring, one worker copies ' +
    'runs of up to 64 KiB behind a 48-byte header with CRC-32 into fallocated, mapped 128 MiB segments; the tail is ' +
    'stored with every frame; ends when the published position reaches the last frame',
  'bare-16k': 'the same loop, the tail stored once for every 16 KiB of frames',
  memcpy:
    'physical limit: values copied one behind the other into fallocated, mapped 128 MiB files by one thread, page ' +
    'faults included; no length, no checksum, nobody else',
  'write-sync':
    'u32 length + bytes into a 64 KiB buffer, fs.writeSync when it is full, no fsync, no checksum; ends when the last write returned; an awaited append writes its record at once',
  fdatasync:
    'the same records by fs.write, then fs.fdatasync; whatever was appended while a flush ran goes with the next one ' +
    '(group commit by hand)',
  'sonic-boom':
    "contentMode 'buffer', minLength 64 KiB, maxWrite 128 KiB, asynchronous; length and bytes made one buffer beforehand, which favours " +
    "it; 'drain' awaited where write() says so; ends after flush() and the last write",
  lmdb:
    "lmdb-js, encoding 'binary', keyEncoding 'uint32', defaults otherwise (event turn batching, overlappingSync: " +
    'commits do not wait for the device); async put, every 10,000th awaited (the fastest of 1,000, 10,000, 100,000, ' +
    'batch() and put); ends when the last put resolved, `flushed` is not waited for; batches: transaction(); disk: ' +
    'overlappingSync false, so a put resolves after the flush; read: getRange; queue: one async transaction a pop',
  'better-sqlite3':
    'WAL, synchronous NORMAL (FULL in the disk cases), INTEGER PRIMARY KEY + BLOB, transactions of 1,000; ends at the ' +
    'last commit; an awaited append is one INSERT in its own transaction; read: SELECT in key order, raw rows, ' +
    'iterate(); queue: INSERT, and DELETE of the smallest id RETURNING, each its own transaction',
  'classic-level':
    "keyEncoding and valueEncoding 'view', 8-byte big-endian keys, defaults otherwise; batch() of 1,000; an awaited " +
    'append is put() (sync: true in the disk cases); read: iterator.nextv(1000)',
  'chronicle-queue':
    'Chronicle Queue in a JVM of its own (2 GB of heap, touched beforehand), binary(), blocks of 128 MiB, FAST_DAILY; writingDocument() and ' +
    'readingDocument() of byte arrays, an appender and a tailer a thread; a document that is closed is visible; disk: SyncMode.SYNC and sync() after each; ' +
    'lookups: moveToIndex(); follow: Pauser.balanced()',
  'rocketmq-store':
    "RocketMQ's DefaultMessageStore in a JVM of its own (2 GB of heap, touched beforehand), no broker, one queue, ASYNC_FLUSH (SYNC_FLUSH " +
    'in the disk cases), no timer wheel, no transient pool, no message index; asyncPutMessage, awaited; ends when the consume queue has the ' +
    'last; read: getMessage of 1,024, bodies copied; lookups: getMessage of 1; follow: its arriving listener wakes the reader',
  'post-message':
    'Bookend without ports: each thread posts every message to the thread that opened the log, which offers it; at most 10,000 of a thread under way',
  'file-watch':
    'physical limit: 64 bytes written to a file by fs.writeSync, seen by fs.watch in another process; no log, no thread of its own',
  bullmq:
    'BullMQ on a redis-server of this machine (TCP, appendonly, appendfsync everysec, noeviction); addBulk of 1,000; removeOnComplete, removeOnFail; one Worker with the ' +
    "concurrency of the case; of a case's jobs a tenth of what the product gets",
  'pg-boss':
    'pg-boss 10, the last for every Node that Bookend runs on, on a PostgreSQL of this machine (TCP, synchronous_commit off, shared_buffers 256 MB), a pool of 20; insert() of 1,000; as many ' +
    'loops as the concurrency of the case, each with fetch() of 100 and one complete(), again 10 ms later where there is none: work() asks twice a second at most',
  'jetstream-r1':
    "the product on one nats-server of this machine, as for development: open('nats://…', { replicas: 1 }), else defaults; flush: sync_interval always, " +
    'else the 2 minutes that servers have by default',
  'jetstream-r3':
    'the same on a cluster of three on this machine, so that all share its processors and its device: replicas 3; flush: also level disk',
  'nats-r1':
    '@nats-io/jetstream by itself, on such a server: js.publish, 1,000 under way at a time; consume() with max_messages 1,000; ackAck, 1,000 under way',
  'nats-r3': 'the same on such a cluster',
  'read-write': 'fs.readSync and fs.writeSync through one 256 KiB buffer: 2 copies',
  'mmap-write': 'mmap of the whole file, fs.writeSync out of the mapping in steps of 1 MiB: 1 copy, plus page faults',
  sendfile: 'sendfile(2) in steps of 1 MiB: 1 copy inside the kernel to a file, 0 to 1 to a socket',
  'copy-file-range': 'copy_file_range(2) in steps of 8 MiB: 1 copy inside the kernel, none where blocks can be shared',
}

/** Loads one contender's adapter, in the process that measures it, and opens a store with it. */
export async function openStore(name: ContenderName, options: StoreOptions): Promise<Store> {
  if (options.module !== undefined) return (await import('../outside.js')).openOutsideStore(options.module, options)
  switch (name) {
    case 'bookend':
      return (await import('./bookend.js')).openBookend(options)
    case 'bare':
      return (await import('./bare-loop/store.js')).openBareLoop(options, 0)
    case 'bare-16k':
      return (await import('./bare-loop/store.js')).openBareLoop(options, 16 * 1024)
    case 'memcpy':
      return (await import('./memcpy.js')).openMemcpy(options)
    case 'write-sync':
      return (await import('./write-sync.js')).openWriteSync(options)
    case 'fdatasync':
      return (await import('./fdatasync.js')).openFdatasync(options)
    case 'sonic-boom':
      return (await import('./sonic-boom.js')).openSonicBoom(options)
    case 'lmdb':
      return (await import('./lmdb.js')).openLmdb(options)
    case 'better-sqlite3':
      return (await import('./better-sqlite3.js')).openSqlite(options)
    case 'classic-level':
      return (await import('./classic-level.js')).openLevel(options)
    default:
      throw new Error(`${name} is no store`)
  }
}

/** The same for queues. */
export async function openQueue(name: ContenderName, options: StoreOptions): Promise<QueueStore> {
  if (options.module !== undefined) return (await import('../outside.js')).openOutsideQueue(options.module, options)
  switch (name) {
    case 'bookend':
      return (await import('./bookend-consumers.js')).openBookendQueue(options)
    case 'lmdb':
      return (await import('./lmdb.js')).openLmdbQueue(options)
    case 'better-sqlite3':
      return (await import('./better-sqlite3.js')).openSqliteQueue(options)
    default:
      throw new Unavailable(`${name} has no queue here`)
  }
}

export function isJobPeer(name: ContenderName): boolean {
  return (jobPeerNames as readonly ContenderName[]).includes(name)
}

export function isOnServers(name: ContenderName): boolean {
  return (serverNames as readonly ContenderName[]).includes(name)
}

/** In the order of the reports; those from outside come last. */
export function inOrder(names: Iterable<string>): ContenderName[] {
  const all = new Set(names)
  const own = contenderNames.filter((name) => all.delete(name))
  return [...own, ...(all as Set<ContenderName>)]
}

/** What is no store that anybody would use, and stands beside them as a measure: said where it appears. */
export const measures: Partial<Record<ContenderName, string>> = {
  bare: 'the same two threads and the same bytes without a log around them',
  'bare-16k': 'the same, told of its end less often',
  memcpy: 'copying into a mapping, and nothing else: the limit of the machine',
  'write-sync': 'a plain file through a buffer: no checksum, no index, no second thread',
  fdatasync: 'a plain file, flushed by hand',
}
