/** What a topic of results is told of the messages that a call of a module was given. */
import type { HandlerContext } from '../../engine/handler.js'
import { doneWord, noResultsError, progressWord } from '../../messages/job-words.js'
import type { Message } from '../../messages/message.js'
import type { MessageBatch } from '../../messages/message-batch.js'
import type { CallAppends } from './handler.js'

/** The call has gone well. @param returned by the module @throws TypeError if that is no result for each message */
export function appendResults(
  topic: string,
  batch: MessageBatch<unknown>,
  attempt: number,
  returned: unknown,
  appends: Pick<CallAppends, 'append'>,
): void {
  if (returned !== undefined && !(Array.isArray(returned) && returned.length === batch.length))
    throw new TypeError(
      `with the option results a module returns an array with the result of each message, or nothing: ${batch.length} here`,
    )
  let index = 0
  for (const message of batch) {
    const { value, options } = doneWord(message, attempt, (returned as unknown[] | undefined)?.[index++])
    appends.append(topic, value, options)
  }
}

export function progressIn(
  topic: string,
  batch: MessageBatch<unknown>,
  attempt: number,
  appends: Pick<CallAppends, 'say'>,
): HandlerContext['progress'] {
  return heard(async (done, message) => {
    const { value, options } = progressWord(message ?? onlyOne(batch), attempt, done)
    await appends.say(topic, value, options)
  })
}

export const progressWithoutResults: HandlerContext['progress'] = heard(async () => {
  throw noResultsError()
})

/** Whoever awaits it hears of what it throws, and nobody has to. */
function heard(say: HandlerContext['progress']): HandlerContext['progress'] {
  return (done, message) => {
    const saying = say(done, message)
    saying.catch(() => {})
    return saying
  }
}

function onlyOne(batch: MessageBatch<unknown>): Message<unknown> {
  const [message] = batch
  if (batch.length === 1) return message
  throw new TypeError(
    `context.progress() takes the message that it is about where a call has several: ${batch.length} here`,
  )
}
