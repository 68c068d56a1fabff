/** How blocks are packed: with what `node:zlib` of the running Node has. */
import zlib from 'node:zlib'
import { packedCodec } from '../../format/packed-layout.js'
import { zstdLength } from '../../format/zstd-frame.js'
import { keptUnpacker, type Unpack } from './kept-unpacker.js'

export type BlockCodecName = keyof typeof packedCodec

interface BlockCodec {
  /** In a memory of its own, or one that the next call overwrites. */
  pack(block: Uint8Array): Uint8Array
  /** Into `target`, which is as long as the block was. */
  readonly unpack: Unpack
}

/** Room behind the block: zlib asks for more memory when all it has got is full, even where nothing comes. */
const slackBytes = 64

/** Made when the first block is to be unpacked: most threads never see one. */
function unpacking(make: () => Unpack): Unpack {
  let unpack: Unpack | undefined
  return (packed, target) => {
    unpack ??= make()
    return unpack(packed, target)
  }
}

/** With what Node promises. */
function plainUnpacker(call: (packed: Uint8Array, options: UnpackOptions) => Uint8Array): Unpack {
  return (packed, target) => {
    const room = target.length + slackBytes
    try {
      const bytes = call(packed, { chunkSize: room, maxOutputLength: room })
      if (bytes.length !== target.length) return false
      target.set(bytes)
      return true
    } catch {
      return false
    }
  }
}

interface UnpackOptions {
  chunkSize: number
  maxOutputLength: number
}

const deflate: BlockCodec = {
  // Nobody waits for it: level 5 makes 7.2 times smaller what level 1 makes 6.5 times (log lines, with what frames and entries add), at 140 MB/s
  // in the place of 200, and is unpacked as fast.
  pack: (block) => zlib.deflateRawSync(block, { level: 5, memLevel: 9, chunkSize: block.length + slackBytes }),
  unpack: unpacking(
    () =>
      keptUnpacker({
        create: () => zlib.createInflateRaw(),
        end: zlib.constants.Z_FINISH,
        pack: (bytes) => zlib.deflateRawSync(bytes),
      }) ?? plainUnpacker(zlib.inflateRawSync),
  ),
}

/** Of Node 22.15 and later; the types are those of 20. */
interface ZstdCalls {
  zstdCompressSync?(block: Uint8Array, options: { chunkSize: number; params: Record<number, number> }): Uint8Array
  zstdDecompressSync?(packed: Uint8Array, options: UnpackOptions): Uint8Array
  createZstdDecompress?(): unknown
}

/** `ZSTD_c_compressionLevel`. */
const zstdLevel = 100
/** `ZSTD_e_end`. */
const zstdEnd = 2

function zstdOf({ zstdCompressSync, zstdDecompressSync, createZstdDecompress }: ZstdCalls): BlockCodec | undefined {
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined || createZstdDecompress === undefined)
    return undefined
  const pack = (block: Uint8Array) =>
    zstdCompressSync(block, { chunkSize: block.length + slackBytes, params: { [zstdLevel]: 1 } })
  return {
    pack,
    unpack: unpacking(
      () =>
        keptUnpacker({ create: createZstdDecompress, end: zstdEnd, lengthOf: zstdLength, pack }) ??
        plainUnpacker(zstdDecompressSync),
    ),
  }
}

const codecs = new Map<number, BlockCodec | undefined>([
  [packedCodec.deflate, deflate],
  [packedCodec.zstd, zstdOf(zlib as ZstdCalls)],
])

/** What this Node can do, best first. */
export function bestCodec(): BlockCodecName {
  return hasCodec(packedCodec.zstd) ? 'zstd' : 'deflate'
}

export function hasCodec(codec: number): boolean {
  return codecs.get(codec) !== undefined
}

/** Why a segment that is packed so cannot be read here, as the rest of a sentence about it; undefined: it can. */
export function codecFault(codec: number): string | undefined {
  if (hasCodec(codec)) return undefined
  if (codec === packedCodec.zstd)
    return `is packed with zstd, which Node ${process.versions.node} does not have: use Node 22.15 or later`
  return `is packed with a codec that this release does not know (${codec}): use a later one`
}

/** @param codec one of {@link hasCodec} */
export function codecOf(codec: number): BlockCodec {
  const found = codecs.get(codec)
  if (found === undefined) throw new TypeError(`no codec ${codec} here`)
  return found
}

export function codecName(codec: number): BlockCodecName | undefined {
  const names = Object.keys(packedCodec) as BlockCodecName[]
  return names.find((name) => packedCodec[name] === codec)
}
