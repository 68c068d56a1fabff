/** The dead letter of a message that a function could not handle. */
import type { Engine, EngineTopic } from '../../engine/engine.js'
import type { EngineGroup, ProcessSettings } from '../../engine/group-seat.js'
import type { RecordPlace } from '../../messages/chunk-cursor.js'
import { letterOf } from '../../messages/dead-letter.js'
import { StoredMessage } from '../../messages/message.js'

interface Parts {
  readonly engine: Engine
  readonly topic: EngineTopic
  readonly group: EngineGroup
  readonly settings: Pick<ProcessSettings, 'deadLetter'>
}

/** Resolves when it is as durable as the log promises. */
export async function storeLetter(
  { engine, topic, group, settings }: Parts,
  record: RecordPlace,
  attempts: number,
  error: Error,
): Promise<void> {
  const { deadLetter } = settings
  if (deadLetter === undefined) return
  const message = new StoredMessage<Uint8Array>({ topic: topic.name, decode: undefined }, record)
  const { maxMessageBytes, durability } = engine.facts
  const { value, extras } = letterOf(message, { group: group.name, attempts, error }, maxMessageBytes)
  await engine.topic(deadLetter).append(value, extras, durability)
}
