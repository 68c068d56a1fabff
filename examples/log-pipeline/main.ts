/**
 * A pipeline for log lines on all cores: files go into a topic line by line, a processor parses them in parallel, the results are
 * collected by offset.
 *
 *   node dist/examples/log-pipeline/main.js [FILE...]
 */
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { type Log, open, text } from 'bookend'
import type { Result } from './parse-batch.js'

const folder = await mkdtemp(path.join(tmpdir(), 'log-pipeline-'))
const resultFolder = path.join(folder, 'results')
await mkdir(resultFolder)
const log = await open(path.join(folder, 'log'))
try {
  const files = process.argv.slice(2)
  const lineCount = await ingest(log, files.length > 0 ? linesOf(files) : sampleLines(20_000))
  const module = new URL('./parse-batch.js', import.meta.url)
  module.searchParams.set('results', resultFolder)
  const startMs = performance.now()
  const parser = log
    .topic('lines')
    .group('parse')
    .process(module, { order: 'none', concurrency: availableParallelism(), batchSize: 1_000 })
  await parser.idle()
  const elapsedMs = performance.now() - startMs
  await parser.stop()
  const levels = await collect(resultFolder)
  console.log(`parsed ${lineCount} lines in ${elapsedMs.toFixed(0)} ms`)
  for (const [level, count] of [...levels].sort(([, a], [, b]) => b - a)) console.log(`${level}: ${count}`)
} finally {
  await log.close()
  await rm(folder, { recursive: true })
}

async function ingest(into: Log, lines: AsyncIterable<string> | Iterable<string>): Promise<number> {
  const topic = into.topic('lines', { codec: text })
  let count = 0
  for await (const line of lines) {
    // False: the ring is full, and nothing was taken.
    while (!topic.offer(line)) await topic.ready()
    count += 1
  }
  await into.flush()
  return count
}

async function* linesOf(files: readonly string[]): AsyncIterable<string> {
  for (const file of files)
    yield* createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })
}

function* sampleLines(count: number): Iterable<string> {
  const levels = ['INFO', 'INFO', 'DEBUG', 'WARN', 'ERROR']
  for (let index = 0; index < count; index++) {
    const time = new Date(1_700_000_000_000 + index * 250).toISOString()
    yield `${time} ${levels[index % levels.length]} request ${index} took ${(index * 7919) % 900} ms`
  }
}

/** Counts each offset once, however often it was parsed. */
async function collect(from: string): Promise<Map<string, number>> {
  const levelOf = new Map<number, string>()
  for (const name of (await readdir(from)).filter((entry) => entry.endsWith('.json'))) {
    const results = JSON.parse(await readFile(path.join(from, name), 'utf8')) as Result[]
    for (const { offset, level } of results) levelOf.set(offset, level)
  }
  const counts = new Map<string, number>()
  for (const level of levelOf.values()) counts.set(level, (counts.get(level) ?? 0) + 1)
  return counts
}
