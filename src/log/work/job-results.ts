/**
 * What becomes of jobs, for whoever wants to know: messages of a topic of their own, which say in their headers of which job they are and what they say of it. The last one with a
 * job's key is how it stands.
 */
import type { Engine } from '../../engine/engine.js'
import type { EncodedMessage } from '../../engine/terms.js'
import { idHeader } from '../../limits.js'
import { json } from '../../messages/codec.js'
import type { Message } from '../../messages/message.js'
import { retriedOf } from '../../messages/retried.js'
import { encodeExtras } from '../extras.js'

const names = {
  state: 'bookend-job-state',
  topic: 'bookend-job-topic',
  offset: 'bookend-job-offset',
  attempt: 'bookend-job-attempt',
  progress: 'bookend-job-progress',
  error: 'bookend-job-error',
} as const
/** Of an error's text, as in a dead letter. */
const maxErrorLength = 1_000

export class JobResults {
  readonly #engine: Engine
  /** Name of their topic. */
  readonly topic: string

  constructor(engine: Engine, topic: string) {
    this.#engine = engine
    this.topic = topic
  }

  /** The result of a call, to be appended with its acknowledgement. */
  done(job: Message, attempt: number, result: unknown) {
    // A topic is read with one codec: nothing is said in JSON too.
    const options = result instanceof Uint8Array ? {} : { codec: json }
    return { value: result ?? null, options: { ...options, ...saying(job, 'done', attempt) } }
  }

  /** The job is given up. */
  failed(job: Message, attempt: number, error: Error): EncodedMessage {
    const text = `${error.name}: ${error.message}`.slice(0, maxErrorLength)
    return this.#message(null, saying(job, 'failed', attempt, { [names.error]: text }))
  }

  /** Resolves once it is appended: at once, and not with the job. */
  async progress(job: Message, attempt: number, done: number | string): Promise<void> {
    const said = saying(job, 'progress', attempt, { [names.progress]: String(done) })
    const { value, extras, level } = this.#message(done, said)
    await this.#engine.topic(this.topic).append(value, extras, level)
  }

  #message(value: unknown, { key, headers }: ReturnType<typeof saying>): EncodedMessage {
    const { durability: level } = this.#engine.facts
    return { topic: this.topic, value: json.encode(value), extras: encodeExtras(key, headers), level }
  }
}

/** Key and headers. The key is the id that the job was pushed under, where it has one, otherwise the offset where it stood first. */
function saying(job: Message, state: string, attempt: number, more: Record<string, string> = {}) {
  const offset = String(retriedOf(job).offset)
  const headers = {
    ...{ [names.state]: state, [names.topic]: job.topic, [names.offset]: offset, [names.attempt]: String(attempt) },
    ...more,
  }
  return { key: job.headers?.[idHeader] ?? offset, headers }
}
