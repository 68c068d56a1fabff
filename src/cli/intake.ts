/** Appending what comes in by standard input: in order, not faster than it is written, and with an exact account of it. */

import type { AppendOptions } from '../log/append-options.js'
import type { Log } from '../log/log.js'
import type { Topic } from '../log/topic.js'
import { Failure } from './failure.js'
import { counted, whole } from './units.js'

/** A message that is to be appended. */
export interface Incoming {
  /** Where it stands in the input. */
  line: number
  topic: string
  value: Uint8Array
  options?: Pick<AppendOptions, 'key' | 'headers' | 'expiresAt'>
}

export interface Intake {
  count: number
  /** By topic, in the order in which they came. */
  topics: Map<string, { first: number; last: number; count: number }>
  /** Why it ended early: messages behind it are not written, but for those that were under way already. */
  failure: Failure | undefined
}

/**
 * Appends until the input ends or something fails; what is counted then is flushed to the device.
 * @param batches messages as they come; may throw, and what came before it is written
 */
export async function takeIn(log: Log, batches: AsyncIterable<Incoming[]>, signal: AbortSignal): Promise<Intake> {
  const intake: Intake = { count: 0, topics: new Map(), failure: undefined }
  const handles = new Map<string, Topic<Uint8Array>>()
  // Two batches are under way: one is read while the other is written.
  let before: Promise<unknown> = Promise.resolve()
  let current: Promise<unknown> = Promise.resolve()
  try {
    for await (const batch of batches) {
      const pending: Promise<void>[] = []
      for (const incoming of batch) {
        pending.push(append(log, handles, incoming, intake))
        // A message that is refused at once keeps those behind it from being written.
        await undefined
        if (intake.failure !== undefined) break
      }
      await before
      before = current
      current = Promise.all(pending)
      if (intake.failure !== undefined || signal.aborted) break
    }
  } catch (error) {
    intake.failure ??= Failure.from(signal.aborted ? signal.reason : error)
  }
  await before
  await current
  if (signal.aborted) intake.failure ??= Failure.from(signal.reason)
  // In a directory that is the device; servers keep what they can prove.
  if (intake.count > 0) await log.flush(log.supports.durabilities.at(-1))
  return intake
}

/** Never rejects: what fails is in the account. */
async function append(
  log: Log,
  handles: Map<string, Topic<Uint8Array>>,
  { line, topic: name, value, options }: Incoming,
  intake: Intake,
): Promise<void> {
  try {
    let topic = handles.get(name)
    if (topic === undefined) {
      topic = log.topic(name)
      handles.set(name, topic)
    }
    const offset = await topic.append(value, options)
    intake.count += 1
    const known = intake.topics.get(name)
    if (known === undefined) intake.topics.set(name, { first: offset, last: offset, count: 1 })
    else {
      known.last = offset
      known.count += 1
    }
  } catch (error) {
    const { message, status } = Failure.from(usersMistake(error))
    intake.failure ??= new Failure(`line ${whole(line)}: ${message}`, status)
  }
}

/** A bad name or a key that is too long stands in the input: its stack would help nobody. */
function usersMistake(error: unknown): unknown {
  return error instanceof TypeError || error instanceof RangeError ? error.message : error
}

/** @param verbed such as `appended` */
export function intakeText({ count, topics }: Intake, verbed: string): string {
  const where = [...topics].map(([name, { first, last, count: each }]) => {
    const range = each === 1 ? `offset ${whole(first)}` : `offsets ${whole(first)} to ${whole(last)}`
    return `${name} (${range})`
  })
  return `${counted(count, 'message')} ${verbed}${count === 0 ? '' : `: ${where.join(', ')}`}`
}
