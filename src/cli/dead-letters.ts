/** Dead letters as processors have written them: copies of messages, with what is known about them in headers. */
import type { Log } from '../log/log.js'
import type { Topic } from '../log/topic.js'
import type { Message } from '../messages/message.js'
import { exitStatus, Failure } from './failure.js'
import { whole } from './units.js'

export interface DeadLetter {
  offset: number
  timestamp: number
  /** Where the message stood. */
  topic: string
  from: number
  group: string
  attempts: number
  error: string
}

const prefix = 'bookend-'

/** @returns undefined: it is none, but a message that somebody has put there */
export function deadLetterOf({ offset, timestamp, headers = {} }: Message): DeadLetter | undefined {
  const { [`${prefix}topic`]: topic, [`${prefix}offset`]: from } = headers
  if (topic === undefined || from === undefined) return undefined
  return {
    ...{ offset, timestamp, topic },
    from: Number(from),
    group: headers[`${prefix}group`] ?? '',
    attempts: Number(headers[`${prefix}attempts`] ?? 0),
    error: headers[`${prefix}error`] ?? '',
  }
}

/**
 * Appends the message to the topic it came from, as it was.
 * @returns false: it stands for messages that could not be read, and there is nothing to bring back
 * @throws Failure if it is no dead letter, or its value was left out and the original is gone
 */
async function redrive(log: Log, message: Message): Promise<boolean> {
  const letter = deadLetterOf(message)
  const { offset, headers = {}, key } = message
  if (letter === undefined)
    throw new Failure(`message ${whole(offset)} of ${message.topic} is no dead letter`, exitStatus.failed)
  if (letter.attempts === 0) return false
  const topic = log.topic(letter.topic)
  const own = Object.entries(headers).filter(([name]) => !name.startsWith(prefix))
  const value = headers[`${prefix}value`] === undefined ? message.value : await original(topic, letter)
  await topic.append(value, { key, headers: Object.fromEntries(own) })
  return true
}

/** What had no room beside its headers. */
async function original(topic: Topic<Uint8Array>, { from, offset }: DeadLetter): Promise<Uint8Array> {
  const message = await topic.get(from)
  if (message !== undefined) return message.value
  const what = `the value of dead letter ${whole(offset)} was left out for its size, and message ${whole(from)} of ${topic.name} is gone`
  throw new Failure(what, exitStatus.failed)
}

export interface Redriven {
  redriven: number
  /** Stood for messages that could not be read: there was nothing to bring back. */
  unreadable: number
}

/** Those of a dead-letter topic, in order. */
export async function lettersOf(topic: Topic<Uint8Array>, signal: AbortSignal): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const message of topic.read({ signal })) {
    const letter = deadLetterOf(message)
    if (letter !== undefined) letters.push(letter)
  }
  return letters
}

/** What has been brought back is removed here, also where something fails behind it. A crash between the two brings it back twice. */
export async function redriveAll(log: Log, topic: Topic<Uint8Array>, signal?: AbortSignal): Promise<Redriven> {
  const done: Redriven = { redriven: 0, unreadable: 0 }
  let behind: number | undefined
  try {
    for await (const message of topic.read({ signal })) {
      if (await redrive(log, message)) done.redriven += 1
      else done.unreadable += 1
      behind = message.offset + 1
    }
  } finally {
    if (behind !== undefined) {
      await log.flush('disk')
      await topic.trim(behind)
      await log.flush('disk')
    }
  }
  return done
}

/** @returns how many there were */
export async function discardAll(log: Log, topic: Topic<Uint8Array>): Promise<number> {
  const { first, next } = await topic.bounds()
  await topic.trim(next)
  await log.flush('disk')
  return next - first
}
