/**
 * Memory of a mapping in the hands of code that may keep views of it for ever.
 *
 * Each part lent is an ArrayBuffer of its own, so that nobody reaches beyond it. When it is given back it is detached: views of it have
 * length 0. What has the bare address by then (a system call in libuv's pool) keeps the buffer object alive for as long as it
 * needs it. So the addresses are unmapped when the mapping is closed and every buffer ever lent has been garbage collected, whichever
 * comes last; between the two, zero pages stand there.
 *
 * Why nothing is unmapped under a view: a view keeps its buffer, and the buffer is counted from before anybody sees it until it is
 * collected. One that somebody has moved elsewhere (a byte stream takes the memory out of what is enqueued) can no longer be
 * followed: it is counted for ever. After it was given back there is nothing to move.
 * Why nothing is unmapped twice: it happens in {@link LentRange.close} if the count is 0, and as nothing is lent after that the count
 * does not change again; else when the count, which only falls from then on, comes to 0. And by nobody else: whoever closes has
 * taken the mapping out of the slot table before, so the reaper cannot name these addresses any more. If the thread ends first, they
 * stay reserved.
 */
import { assert } from '../errors.js'
import { detachBuffer } from './detach-buffer.js'
import type { Libc } from './libc.js'
import type { Lent, SystemCalls } from './memory.js'

/** Closed ranges of this thread whose views are not collected yet, and the most there may be before nothing more is lent. */
let abandoned = 0
const maxAbandoned = 64

// Of the module, not of a mapping: a registry that is collected calls nobody.
const collected = new FinalizationRegistry<() => void>((onCollected) => onCollected())

export class LentRange {
  readonly #address: number
  readonly #libc: Libc
  readonly #retire: () => void
  readonly #unmap: () => void
  #isClosed = false
  /** Buffers that are not collected yet. */
  #buffers = 0

  /** @param unmap gives the addresses back */
  constructor(address: number, byteLength: number, libc: Libc, calls: SystemCalls, unmap: () => void) {
    this.#address = address
    this.#libc = libc
    this.#retire = () => calls.retire(address, byteLength)
    this.#unmap = unmap
  }

  /** Undefined: too many ranges wait for the garbage collector; addresses and mappings are bounded. */
  lend(at: number, length: number): Lent | undefined {
    assert(!this.#isClosed, 'a closed mapping is not lent')
    if (abandoned >= maxAbandoned) return undefined
    const buffer = this.#libc.viewOf(this.#address + at, length)
    this.#buffers += 1
    collected.register(buffer, this.#onCollected)
    return { bytes: new Uint8Array(buffer), giveBack: () => this.#takeBack(buffer) }
  }

  #takeBack(buffer: ArrayBuffer): void {
    // Moved: whoever has the memory now is not known.
    if (buffer.byteLength === 0) this.#buffers += 1
    else detachBuffer(buffer)
  }

  /** The mapping is needed no more: it goes at once, or leaves zero pages behind until it can. */
  close(): void {
    this.#isClosed = true
    if (this.#buffers === 0) {
      this.#unmap()
      return
    }
    this.#retire()
    abandoned += 1
  }

  readonly #onCollected = (): void => {
    this.#buffers -= 1
    if (!this.#isClosed || this.#buffers > 0) return
    abandoned -= 1
    this.#unmap()
  }
}
