import type { Store, StoreOptions } from './contender.js'

export const contenderNames = ['bookend', 'bare', 'bare-16k', 'write-sync', 'lmdb', 'better-sqlite3'] as const
export type ContenderName = (typeof contenderNames)[number]

/** Names that `--peers` takes. `bare` brings both forms of the bare loop along. */
export const peerNames = ['bare', 'write-sync', 'lmdb', 'better-sqlite3'] as const
export type PeerName = (typeof peerNames)[number]

/** Peers that come from the registry; the others need nothing but Node and the root's dependencies. */
export const packagedPeers: readonly ContenderName[] = ['lmdb', 'better-sqlite3']

/** How each contender is set up: printed with every report, since a ratio means little without it. */
export const contenderSettings: Record<ContenderName, string> = {
  bookend:
    "open(directory) with defaults (128 MiB segments, 8 MiB ring, level 'process'); append: offer, ready() where the " +
    "ring is full, then flush('process'); read: `for await` over read() from the first offset, value touched",
  bare:
    'bare ring-to-mapping loop, no product code: 16-byte frames in an 8 MiB SharedArrayBuffer ring, one worker copies ' +
    'runs of up to 64 KiB behind a 48-byte header with CRC-32 into fallocated, mapped 128 MiB segments; the tail is ' +
    'stored with every frame; ends when the published position reaches the last frame',
  'bare-16k': 'the same loop, the tail stored once for every 16 KiB of frames',
  'write-sync':
    'u32 length + bytes into a 64 KiB buffer, fs.writeSync when it is full, no fsync, no checksum; ends when the last write returned; an awaited append writes its record at once',
  lmdb:
    "lmdb-js, encoding 'binary', keyEncoding 'uint32', defaults otherwise (event turn batching, overlappingSync: " +
    'commits do not wait for the device); async put, every 10,000th awaited (the fastest of 1,000, 10,000, 100,000, ' +
    'batch() and put); ends when the last put resolved, `flushed` is not waited for; read: getRange',
  'better-sqlite3':
    'WAL, synchronous NORMAL, INTEGER PRIMARY KEY + BLOB, transactions of 1,000; ends at the last commit; an awaited ' +
    'append is one INSERT in its own transaction; read: SELECT in key order, raw rows, iterate()',
}

/** Loads one contender's adapter, in the process that measures it, and opens a store with it. */
export async function openStore(name: ContenderName, options: StoreOptions): Promise<Store> {
  switch (name) {
    case 'bookend':
      return (await import('./bookend.js')).openBookend(options)
    case 'bare':
      return (await import('./bare-loop/store.js')).openBareLoop(options, 0)
    case 'bare-16k':
      return (await import('./bare-loop/store.js')).openBareLoop(options, 16 * 1024)
    case 'write-sync':
      return (await import('./write-sync.js')).openWriteSync(options)
    case 'lmdb':
      return (await import('./lmdb.js')).openLmdb(options)
    case 'better-sqlite3':
      return (await import('./better-sqlite3.js')).openSqlite(options)
  }
}
