/**
 * What becomes of jobs, for whoever wants to know: messages of a topic of results, which say in their headers of which job they are and what they say of it. The last one with a
 * job's key is how it stands.
 */
import { idHeader } from '../limits.js'
import { type Codec, json } from './codec.js'
import type { Letter } from './dead-letter.js'
import type { Message } from './message.js'
import { retriedOf } from './retried.js'

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

/** As an append takes it. */
export interface JobWord {
  readonly value: unknown
  readonly options: { readonly key: string; readonly headers: Record<string, string>; readonly codec?: Codec<unknown> }
}

/** What a call has come to, to be appended with its acknowledgement. */
export function doneWord(job: Message<unknown>, attempt: number, result: unknown): JobWord {
  // A topic is read with one codec: nothing is said in JSON too.
  const codec = result instanceof Uint8Array ? {} : { codec: json }
  return { value: result ?? null, options: { ...saying(job, 'done', attempt), ...codec } }
}

/** How far a call is. @throws TypeError */
export function progressWord(job: Message<unknown>, attempt: number, done: unknown): JobWord {
  if (typeof done !== 'string' && !Number.isFinite(done))
    throw new TypeError('context.progress() takes a number or a string')
  const said = saying(job, 'progress', attempt, { [names.progress]: String(done) })
  return { value: done, options: { ...said, codec: json } }
}

export function noResultsError(): TypeError {
  return new TypeError('context.progress() needs the option results: the topic that it is said in')
}

const encoder = new TextEncoder()

/** The job is given up. */
export function failedWord(job: Message<unknown>, attempt: number, error: Error): Letter {
  const text = `${error.name}: ${error.message}`.slice(0, maxErrorLength)
  const { key, headers } = saying(job, 'failed', attempt, { [names.error]: text })
  return {
    value: json.encode(null),
    extras: { key: encoder.encode(key), headers: encoder.encode(JSON.stringify(headers)) },
  }
}

/** Key and headers. The key is the id that the job was pushed under, where it has one, otherwise the offset where it stood first. */
function saying(job: Message<unknown>, state: string, attempt: number, more: Record<string, string> = {}) {
  const offset = String(retriedOf(job).offset)
  const headers = {
    ...{ [names.state]: state, [names.topic]: job.topic, [names.offset]: offset, [names.attempt]: String(attempt) },
    ...more,
  }
  return { key: job.headers?.[idHeader] ?? offset, headers }
}
