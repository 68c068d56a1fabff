/**
 * The handler: parses a batch and stores the result in a file of its own, with the offset of each line beside it.
 *
 * A batch may come again, cut elsewhere. A file appears in one step or not at all, and who reads the results counts each offset
 * once: at least once has become effectively once.
 */
import { createHash } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { MessageBatch } from 'bookend'
import { parseLine } from './parse-line.js'

/** A parsed line as it is stored. */
export interface Result {
  readonly offset: number
  readonly level: string
  readonly sha256: string
}

const folder = new URL(import.meta.url).searchParams.get('results') ?? '.'

export default async function parseBatch(batch: MessageBatch): Promise<void> {
  const results: Result[] = []
  for (const { offset, value } of batch) {
    const { level, text } = parseLine(new TextDecoder().decode(value))
    results.push({ offset, level, sha256: createHash('sha256').update(text).digest('hex') })
  }
  const file = path.join(folder, `${batch.firstOffset}-${batch.length}.json`)
  await writeFile(`${file}.new`, JSON.stringify(results))
  await rename(`${file}.new`, file)
}
