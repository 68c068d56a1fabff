/** The picture of the log that the page draws: looked at from outside, as everything here, so that an owner at work is not disturbed. */
import { PublishedNow } from '../../local/follower/published-now.js'
import { type LogPagesView, type SegmentPagesView, viewPages } from '../../local/log-pages.js'
import type { Log } from '../../log/log.js'
import { nodeDisk } from '../../storage/files/disk.js'
import { findGroups, groupRows } from '../group-rows.js'
import type { Picture, StripPart } from './api.js'

/** Fine enough to see where a segment is warm. */
const partsOfSegment = 32
/** Fewer in a row are drawn one by one. */
const leastRun = 3
/** Whoever looks up a message leaves a page or two: that warms no segment. */
const coldShare = 0.05
/** However many look: one picture a second. */
const freshMs = 900

export class LivePicture {
  readonly #directory: string
  readonly #log: Log
  readonly #isWritable: boolean
  readonly #published: PublishedNow
  #last: { madeMs: number; picture: Promise<Picture> } | undefined

  private constructor(directory: string, log: Log, isWritable: boolean, published: PublishedNow) {
    this.#directory = directory
    this.#log = log
    this.#isWritable = isWritable
    this.#published = published
  }

  static async of(directory: string, log: Log, isWritable: boolean): Promise<LivePicture> {
    return new LivePicture(directory, log, isWritable, await PublishedNow.open(nodeDisk, directory))
  }

  now(): Promise<Picture> {
    const nowMs = performance.now()
    if (this.#last === undefined || nowMs - this.#last.madeMs > freshMs)
      this.#last = { madeMs: nowMs, picture: this.#make() }
    return this.#last.picture
  }

  close(): void {
    this.#published.close()
  }

  async #make(): Promise<Picture> {
    const view = viewPages(nodeDisk, this.#directory, () => partsOfSegment, this.#published.position)
    const names = await this.#log.topics()
    const topics = await Promise.all(names.map(async (name) => ({ name, ...(await this.#log.topic(name).bounds()) })))
    return {
      at: Date.now(),
      directory: this.#directory,
      isWritable: this.#isWritable,
      owner: { state: view.owner.state, pid: view.owner.pid },
      ...positionsOf(view),
      strip: stripOf(view.segments),
      topics: topics.map(({ name, first, next }) => ({ name, first, next })),
      groups: await groupRows(this.#log, findGroups(this.#directory)),
    }
  }
}

function positionsOf({ seesMappings, published, durable, trimmed }: LogPagesView) {
  return { seesMappings, published, durable, trimmed }
}

/** There may be thousands of segments: those in a row that nobody maps are one part, the cold ones and the warm ones apart. */
export function stripOf(segments: readonly SegmentPagesView[]): StripPart[] {
  const parts: StripPart[] = []
  for (let index = 0; index < segments.length; ) {
    const warmth = warmthOf(segments[index])
    let end = index + 1
    while (warmth !== 'used' && end < segments.length && warmthOf(segments[end]) === warmth) end += 1
    const run = segments.slice(index, end)
    if (run.length >= leastRun) parts.push(together(run, warmth === 'cold'))
    else for (const { file: _, ...segment } of run) parts.push({ kind: 'segment', ...segment })
    index = end
  }
  return parts
}

function warmthOf({ residentBytes, mappings, state, bytes }: SegmentPagesView): 'used' | 'warm' | 'cold' {
  if (state !== 'sealed' || residentBytes < 0 || mappings.write + mappings.read > 0) return 'used'
  return residentBytes < bytes * coldShare ? 'cold' : 'warm'
}

function together(run: readonly SegmentPagesView[], isCold: boolean): StripPart {
  const sum = (of: (segment: SegmentPagesView) => number) => run.reduce((total, segment) => total + of(segment), 0)
  return {
    kind: 'run',
    count: run.length,
    position: run[0].position,
    bytes: sum(({ bytes }) => bytes),
    diskBytes: run.some(({ diskBytes }) => diskBytes < 0) ? -1 : sum(({ diskBytes }) => diskBytes),
    packed: sum(({ packed }) => (packed === undefined ? 0 : 1)),
    residentBytes: sum(({ residentBytes }) => residentBytes),
    isCold,
  }
}
