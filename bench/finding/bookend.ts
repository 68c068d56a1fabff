import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Log, open, type Topic } from 'bookend'
import { valueAt } from '../contenders/contender.js'
import type { Job } from '../job.js'
import { type Finder, keyOf, typeOf } from './finder.js'

const mebibyte = 1024 * 1024
/** What a message takes beside its value: frame, key, header, entry, its share of a batch header. */
const bytesBeside = 65
/** What is stated of finding is stated of so many segments. */
const statedSegments = 80

const index = { keys: true, headers: ['type'] }

export interface FindingLog {
  readonly log: Log
  readonly topic: Topic<Uint8Array>
  /** Resolves when all can be read. */
  offer(messages: number, values: readonly Uint8Array[]): Promise<void>
  /** Resolves when all is on the device. */
  fill(messages: number, values: readonly Uint8Array[]): Promise<void>
  /** Says what is to be indexed. */
  index(): void
}

/** @param isIndexed false: it is told of no index, until {@link FindingLog.index} */
export async function openFindingLog(
  job: Job,
  isIndexed = true,
  segmentBytes = segmentBytesOf(job, statedSegments),
): Promise<FindingLog> {
  const log = await open(job.directory, { durability: job.level, segmentBytes })
  const topic = log.topic('bench', isIndexed ? { index } : {})
  const offer = async (messages: number, values: readonly Uint8Array[]) => {
    for (let index = 0; index < messages; index++) {
      const extras = { key: keyOf(index, messages), headers: { type: typeOf(index) } }
      while (!topic.offer(valueAt(values, index), extras)) await topic.ready()
    }
    await log.flush('process')
  }
  return {
    log,
    topic,
    offer,
    async fill(messages, values) {
      await offer(messages, values)
      await log.flush('disk')
    },
    index() {
      log.topic('bench', { index })
    },
  }
}

/** So that there are about so many segments. */
export function segmentBytesOf({ messages, messageBytes }: Job, segments: number): number {
  const bytes = messages * (messageBytes + bytesBeside)
  return Math.max(1, Math.ceil(bytes / segments / mebibyte)) * mebibyte
}

export async function openBookendFinder(job: Job): Promise<Finder> {
  const { log, topic, fill } = await openFindingLog(job)
  return {
    async fill(messages, values) {
      await fill(messages, values)
      await indexed(job.directory)
    },
    last: async (key) => (await topic.last(key))?.value,
    async times() {
      const { first, next } = await topic.bounds()
      const [oldest, newest] = await topic.getMany([first, next - 1])
      return { first: oldest!.timestamp, last: newest!.timestamp }
    },
    offsetAt: (time) => topic.offsetAt(new Date(time)),
    close: () => log.close(),
  }
}

/** Until no side index has come for a while: they are made in quiet moments. @returns how many there are */
export async function indexed(directory: string): Promise<number> {
  const count = () => readdirSync(join(directory, 'log')).filter((name) => name.endsWith('.idx')).length
  let now = count()
  for (let before = -1; now > before; now = count()) {
    before = now
    await sleep(1_000)
  }
  return now
}
