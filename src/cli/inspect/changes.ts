/**
 * What `--write` permits. The log is opened for one change and closed behind it: nobody is kept from being its owner meanwhile, and where there is
 * one, the change is refused with who it is.
 */

import { namePattern } from '../../limits.js'
import type { DeadLetterOptions } from '../../log/dead-letters.js'
import type { Log } from '../../log/log.js'
import type { Topic } from '../../log/topic.js'
import { existingTopic, openToChange } from '../open-log.js'
import { BadRequest } from './answers.js'
import { placeOf } from './browse.js'

export type Change = (directory: string, body: Record<string, unknown>) => Promise<unknown>

/** By the name in the path. */
export const changes: Readonly<Record<string, Change>> = {
  seek: (directory, body) =>
    change(directory, body, async (log, topic) => {
      const group = topic.group(nameIn(body, 'group'))
      await group.seek(placeOf(textIn(body, 'to')))
      await log.flush('disk')
      const { committed, lag } = await group.position()
      return { committed, lag }
    }),

  trim: (directory, body) =>
    change(directory, body, async (log, topic) => {
      const { first, next } = await topic.bounds()
      const place = placeOf(textIn(body, 'before'))
      const wanted = place === 'first' ? first : place === 'next' ? next : place
      const before = wanted instanceof Date ? await topic.offsetAt(wanted) : wanted
      if (before > next)
        throw new BadRequest(400, `${topic.name} has no message ${before} yet: the next one is ${next}`)
      await topic.trim(before)
      await log.flush('disk')
      return { removed: Math.max(0, before - first) }
    }),

  redrive: (directory, body) =>
    change(directory, body, async (log, topic) => {
      const done = await log.deadLetters(topic.name).redrive(someLetters(body))
      await log.flush('disk')
      return done
    }),

  discard: (directory, body) =>
    change(directory, body, async (log, topic) => {
      const done = await log.deadLetters(topic.name).discard(someLetters(body))
      await log.flush('disk')
      return done
    }),
}

/** One of them, or all. */
function someLetters({ offset }: Record<string, unknown>): DeadLetterOptions {
  if (offset === undefined) return {}
  if (!Number.isSafeInteger(Number(offset))) throw new BadRequest(400, '"offset" must be the offset of a dead letter')
  return { filter: (letter) => letter.offset === Number(offset) }
}

/** One after the other: two of ours would only find each other's lock. */
let turn: Promise<unknown> = Promise.resolve()

function change<R>(
  directory: string,
  body: Record<string, unknown>,
  work: (log: Log, topic: Topic<Uint8Array>) => Promise<R>,
): Promise<R> {
  const name = nameIn(body, 'topic')
  const mine = turn.then(async () => {
    await using log = await openToChange(directory)
    return await work(log, await existingTopic(log, name))
  })
  turn = mine.catch(() => {})
  return mine
}

function textIn(body: Record<string, unknown>, field: string): string {
  const value = body[field]
  if (typeof value === 'string' && value !== '') return value
  throw new BadRequest(400, `"${field}" must be a text`)
}

function nameIn(body: Record<string, unknown>, field: string): string {
  const value = textIn(body, field)
  if (namePattern.test(value)) return value
  throw new BadRequest(400, `"${field}" must be a name: 1 to 200 of A-Z a-z 0-9 . _ -, not starting with a dot`)
}
