import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { addAbortSignal, pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { unreadable } from './input-error.js'
import type { Source } from './sources.js'

const CHUNK_BYTES = 256 * 1024
/** Up to here a file is read in one piece: a stream for each of thousands of small files would cost more than they do. */
const WHOLE_FILE_BYTES = 1024 * 1024

/** Decompressed bytes, and how much of the file on disk they took, which is what progress is measured in. */
export interface SourceChunk {
  readonly bytes: Buffer
  readonly consumedBytes: number
}

/**
 * Reads a source from its beginning, decompressed. Whatever goes wrong is an InputError that names the source.
 *
 * @param source as found
 * @param signal ends the reading early, also while standard input waits for its user
 */
export async function* readSource(source: Source, signal: AbortSignal): AsyncGenerator<SourceChunk, void, undefined> {
  try {
    if (source.path !== undefined && !source.isCompressed && isSmall(source)) {
      const bytes = await readFile(source.path, { signal })
      yield { bytes, consumedBytes: bytes.length }
      return
    }
    const file =
      source.path === undefined ? process.stdin : createReadStream(source.path, { highWaterMark: CHUNK_BYTES })
    addAbortSignal(signal, file)
    let seenBytes = 0
    for await (const bytes of source.isCompressed ? gunzip(file) : file) {
      const readBytes = 'bytesRead' in file ? Number(file.bytesRead) : seenBytes + bytes.length
      yield { bytes, consumedBytes: readBytes - seenBytes }
      seenBytes = readBytes
    }
  } catch (error) {
    signal.throwIfAborted()
    throw unreadable(source.path ?? 'standard input', error)
  }
}

function isSmall(source: Source): boolean {
  return source.bytes !== undefined && source.bytes <= WHOLE_FILE_BYTES
}

function gunzip(file: Readable): Readable {
  const gunzipped = createGunzip({ chunkSize: CHUNK_BYTES })
  // The callback is what keeps a failure of `file` from being thrown out of nowhere; it reaches the reader as well,
  // because a pipeline destroys its last stream with the first error.
  return pipeline(file, gunzipped, () => {})
}
