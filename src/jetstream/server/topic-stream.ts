/**
 * The stream of one topic: made with the first append that needs it, and then held against what a topic has to be. Sequence n is offset
 * n - 1, without gaps: nothing is ever taken out of its middle.
 */
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig, type StreamInfo } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import type { Bounds, Retention } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import { apiCodeOf, type Link } from './link.js'
import { metadataOf, streamOf, subjectOf, subjectsOf } from './names.js'

export type { StreamInfo } from '@nats-io/jetstream'

export interface StreamOptions {
  readonly log: string
  readonly replicas: number
  readonly duplicateWindowMs: number
  /** A stream that holds less than a message would refuse it. */
  readonly messageBytes: number
  /** What may be deleted, of topics that nothing else is said of. */
  readonly retention?: Retention | undefined
}

const notFound = 10059
const existsOtherwise = 10058

export class TopicStream {
  readonly link: Link
  readonly topic: string
  readonly name: string
  readonly subject: string
  readonly #options: StreamOptions
  #made: Promise<void> | undefined
  /** Messages that it was seen to have had: what was seen is not unseen. */
  #known = 0
  /** What may be deleted, as far as this process has said; undefined: nothing was said. */
  #retention: Retention | undefined

  constructor(link: Link, topic: string, options: StreamOptions) {
    this.link = link
    this.topic = topic
    this.name = streamOf(options.log, topic)
    this.subject = subjectOf(options.log, topic)
    this.#options = options
    this.#retention = options.retention
  }

  /** How long servers find a batch by its id, and a message. */
  get duplicateWindowMs(): number {
    return this.#options.duplicateWindowMs
  }

  get retention(): Retention | undefined {
    return this.#retention
  }

  /** For who writes nothing, and makes none. */
  static toRead(link: Link, topic: string, log: string): TopicStream {
    return new TopicStream(link, topic, { log, replicas: 1, duplicateWindowMs: 0, messageBytes: 0 })
  }

  /**
   * Makes it, unless it is there; by several processes at the same time if that is so.
   * @param first offset of its first message
   * @throws `BOOKEND_FORMAT` if it is not ours
   */
  ensure(first = 0): Promise<void> {
    if (this.#made === undefined) {
      const made = this.#make(first)
      this.#made = made
      // Who comes next tries again.
      made.catch(() => {
        if (this.#made === made) this.#made = undefined
      })
    }
    return this.#made
  }

  /** As its leader knows it; undefined: it is not there. */
  async info(): Promise<StreamInfo | undefined> {
    try {
      return await this.link.trying(`asking for topic "${this.topic}"`, async () => {
        const info = await this.link.jsm.streams.info(this.name)
        // One that was cut off from the others may think for ten seconds that it leads.
        if (info.state.last_seq < this.#known && this.#options.replicas > 1)
          throw new Error('the node that leads is behind')
        this.#known = info.state.last_seq
        return info
      })
    } catch (error) {
      if (apiCodeOf(error) === notFound) return undefined
      throw error
    }
  }

  /** Messages below are written. */
  noteWritten(next: number): void {
    this.#known = Math.max(this.#known, next)
  }

  async bounds(): Promise<Bounds> {
    const info = await this.info()
    return info === undefined ? { first: 0, next: 0 } : boundsOf(info)
  }

  /** Messages below are gone when it resolves. */
  async purge(before: number): Promise<void> {
    const request = { seq: before + 1 }
    await this.link.trying(`trimming topic "${this.topic}"`, () => this.link.jsm.streams.purge(this.name, request))
  }

  /** In force from now on, and for the stream when it comes to be. */
  async retain(retention: Retention): Promise<void> {
    this.#retention = retention
    // One that is being made may have been told what was said before.
    await this.#made?.catch(() => {})
    if ((await this.info()) !== undefined) await this.#update()
  }

  async #make(first: number): Promise<void> {
    const { link } = this
    const found = await this.info()
    if (found === undefined) {
      const config = { ...this.#config(), ...(first > 0 && { first_seq: first + 1 }) }
      try {
        await link.trying(`making topic "${this.topic}"`, () => link.jsm.streams.add(config))
        return
      } catch (error) {
        if (apiCodeOf(error) !== existsOtherwise) throw this.#notMade(error)
      }
    }
    const info = found ?? (await this.info())
    if (info !== undefined) this.#check(info.config)
    if (this.#retention !== undefined) await this.#update()
  }

  async #update(): Promise<void> {
    const { link } = this
    const limits = this.#limits()
    await link.trying(`the retention of topic "${this.topic}"`, () => link.jsm.streams.update(this.name, limits))
  }

  #config(): Pick<StreamConfig, 'name'> & Partial<StreamConfig> {
    const { log, replicas, duplicateWindowMs } = this.#options
    return {
      name: this.name,
      subjects: [subjectsOf(log, this.topic)],
      storage: StorageType.File,
      num_replicas: replicas,
      // Anything else, and messages that expire one by one, would make gaps between offsets.
      retention: RetentionPolicy.Limits,
      deny_delete: true,
      allow_direct: true,
      allow_atomic: true,
      duplicate_window: nanos(duplicateWindowMs),
      metadata: metadataOf(log, this.topic),
      ...this.#limits(),
    }
  }

  /** What servers let nobody ask for is kept longer, or more of it: retention says what may go, not what has to. */
  #limits(): Pick<StreamConfig, 'max_age' | 'max_bytes' | 'discard'> {
    const { duplicateWindowMs, messageBytes } = this.#options
    const { maxAgeMs, maxBytes } = this.#retention ?? {}
    return {
      max_age: maxAgeMs === undefined ? 0 : nanos(Math.max(maxAgeMs, duplicateWindowMs)),
      max_bytes: maxBytes === undefined ? -1 : Math.max(maxBytes, 2 * messageBytes),
      discard: maxBytes === undefined ? DiscardPolicy.New : DiscardPolicy.Old,
    }
  }

  /** A stream that was made otherwise would keep less than was promised. */
  #check(config: StreamConfig): void {
    const { replicas, duplicateWindowMs } = this.#options
    const wrong: [string, boolean][] = [
      [
        `num_replicas is ${config.num_replicas}, and the log was opened with ${replicas}`,
        config.num_replicas < replicas,
      ],
      ['storage is not "file"', config.storage !== StorageType.File],
      ['retention is not "limits"', config.retention !== RetentionPolicy.Limits],
      ['allow_atomic is not set', config.allow_atomic !== true],
      ['allow_direct is not set', config.allow_direct !== true],
      ['deny_delete is not set', config.deny_delete !== true],
      ['persist_mode is "async"', (config as { persist_mode?: string }).persist_mode === 'async'],
      ['duplicate_window is shorter than duplicateWindowMs', config.duplicate_window < nanos(duplicateWindowMs)],
    ]
    const found = wrong.find(([, isWrong]) => isWrong)
    if (found === undefined) return
    const message = `the stream ${this.name} at ${this.link.place} is not what topic "${this.topic}" needs: ${found[0]}. Change it there, or open the log as it was opened before`
    throw new BookendError('BOOKEND_FORMAT', message, { topic: this.topic })
  }

  #notMade(error: unknown): unknown {
    if (apiCodeOf(error) === undefined) return error
    const { replicas } = this.#options
    const hint = replicas > 1 ? `; replicas: ${replicas} needs a cluster of as many nodes` : ''
    const message = `the servers at ${this.link.place} do not make topic "${this.topic}": ${(error as Error).message}${hint}`
    return new BookendError('BOOKEND_UNSUPPORTED', message, { topic: this.topic, cause: error })
  }
}

export function boundsOf({ state }: StreamInfo): Bounds {
  return { first: Math.max(0, state.first_seq - 1), next: state.last_seq }
}

/** What a topic that nothing was appended to does not have. */
export function wasWritten({ state }: StreamInfo): boolean {
  return state.last_seq > 0
}
