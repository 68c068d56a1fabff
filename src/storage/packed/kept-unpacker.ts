/**
 * Unpacks block after block through one handle of `node:zlib`, into memory that is there. The public calls make a handle and new memory for
 * each block, which takes as long as unpacking does, and longer (64 KiB of log lines: 74 us so and 42 without, deflate on Node 20; 160 and 34
 * of processor time, zstd on Node 26).
 *
 * Node promises nothing of its handles, and a call that they do not know may end the process. So they are used in releases that have been
 * looked at, and where a trial gives back what was packed; elsewhere the public calls have to do.
 */

/** What `node:zlib` keeps below each of its streams. */
interface Handle {
  reset(): void
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    output: Uint8Array,
    outputAt: number,
    outputBytes: number,
  ): void
}

interface Stream {
  /** It has met what was not packed so: its handle is closed. */
  readonly destroyed: boolean
  readonly _handle?: Handle | null
  /** How many bytes of the output, and of the input, the last call has left. */
  readonly _writeState?: Uint32Array
  on(event: 'error', listener: () => void): unknown
}

/**
 * Fills `target` with what was packed. False: it was less than that, or much more, or was not packed so. Some bytes more are not always noticed: that
 * it is the very block is for its checksum to say.
 */
export type Unpack = (packed: Uint8Array, target: Uint8Array) => boolean

const knownReleases = ['20', '22', '24', '26']

interface Unpacking {
  /** Makes the stream that unpacks. */
  create: () => unknown
  /** The flush of the last bytes. */
  end: number
  /**
   * How many bytes a block says it holds, -1: it does not. Given where the handle takes the next block as it is behind one that held what it said;
   * to reset one of zstd is to make it anew, a fifth of the whole.
   */
  lengthOf?: (packed: Uint8Array) => number
  /** For the trial. */
  pack: (bytes: Uint8Array) => Uint8Array
}

export function keptUnpacker({ create, end, lengthOf, pack }: Unpacking): Unpack | undefined {
  const { node, bun, deno } = process.versions
  if (bun !== undefined || deno !== undefined || !knownReleases.includes(node.split('.')[0])) return undefined
  let stream: Stream | undefined
  let isReady = false
  const unpack: Unpack = (packed, target) => {
    if (stream === undefined || stream.destroyed) {
      stream = create() as Stream
      // Whoever asked has been told: nobody else is to hear of it.
      stream.on('error', () => {})
    }
    const { _handle: handle, _writeState: left } = stream
    if (handle?.writeSync === undefined || left === undefined) return false
    if (!isReady) handle.reset()
    // Until it is known to be: whatever else was unpacked may leave the rest of it to come in front of the next block.
    isReady = false
    handle.writeSync(end, packed, 0, packed.length, target, 0, target.length)
    const isWhole = !stream.destroyed && left[0] === 0 && left[1] === 0
    isReady = isWhole && lengthOf?.(packed) === target.length
    return isWhole
  }
  const sample = new Uint8Array(300).map((_, index) => (index * index) % 7)
  const target = new Uint8Array(sample.length)
  const works = unpack(pack(sample), target) && Buffer.compare(target, sample) === 0
  return works ? unpack : undefined
}
