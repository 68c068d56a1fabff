import type { StoreOptions } from '../contenders/contender.js'
import { openLmdb } from '../contenders/lmdb.js'
import type { EnteredStore, SharedStore } from './shared-store.js'

/** Keys are of 32 bits: so many for each thread. */
const keysEach = 2 ** 27

interface Pass {
  readonly options: StoreOptions
  readonly firstKey: number
}

/** lmdb-js, opened by every thread for itself, as its documentation has it: the library shares the environment. Each has keys of its own. */
export async function shareLmdb(options: StoreOptions): Promise<SharedStore> {
  let threads = 0
  return {
    entry: async () => ({ pass: { options, firstKey: keysEach * threads++ } satisfies Pass, transferList: [] }),
    close: async () => {},
  }
}

export async function enterLmdb(pass: unknown): Promise<EnteredStore> {
  const { options, firstKey } = pass as Pass
  const store = openLmdb(options, firstKey)
  return { append: store.append, close: store.close }
}
