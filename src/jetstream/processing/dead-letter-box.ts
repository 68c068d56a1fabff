/** Dead letters on JetStream: each is a batch of its own, with an id of its own that outlives this process, so that it is stored once. */
import type { Letter } from '../../messages/dead-letter.js'
import { writeSteadily } from '../appends/steady-write.js'
import type { TopicStream } from '../server/topic-stream.js'
import { outgoing } from '../server/wire.js'

/**
 * @param id the same for every try, in whichever process
 * @returns where it is
 */
export async function storeDeadLetter(target: TopicStream, { value, extras }: Letter, id: string): Promise<number> {
  await target.ensure()
  const batch = { subject: target.subject, id, messages: [outgoing(value, extras)] }
  const { offset } = await writeSteadily(target, `a dead letter for topic "${target.topic}"`, batch)
  return offset
}
