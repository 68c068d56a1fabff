/** What a group has not done yet, in order, without taking any of it. */
import type { EngineTopic } from '../engine/engine.js'
import { isTrimmed } from '../failures.js'
import type { Message } from '../messages/message.js'
import type { Topic } from './topic.js'

/** As of the call; what is done meanwhile is left out where it was not handed over yet. */
export async function* undone<T>(
  messages: Topic<T>,
  topic: EngineTopic,
  groupName: string,
  signal?: AbortSignal,
): AsyncGenerator<Message<T>> {
  const group = topic.group(groupName)
  const { next: end } = await topic.bounds()
  let from = (await group.peek()) ?? end
  while (from < end) {
    try {
      for await (const message of messages.read({ from, to: end, signal })) {
        from = message.offset + 1
        if (!group.isDone(message.offset)) yield message
      }
      return
    } catch (error) {
      // What is done meanwhile may be deleted meanwhile.
      if (!isTrimmed(error)) throw error
      from = Math.max(from, (await topic.bounds()).first)
    }
  }
}
