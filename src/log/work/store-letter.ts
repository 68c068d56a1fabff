/**
 * The dead letter of a message that a function could not handle: in one transaction with its acknowledgement, and with what the topic of results is told, where the log has
 * transactions; before it otherwise, so that a crash in between makes two letters, and never none.
 */
import type { Engine } from '../../engine/engine.js'
import type { EngineGroup, EngineLease } from '../../engine/group-seat.js'
import { BookendError } from '../../errors.js'
import { type Letter, letterOf } from '../../messages/dead-letter.js'
import type { Message } from '../../messages/message.js'
import type { CallEnd } from './function-call.js'

interface Parts {
  readonly engine: Engine
  readonly group: EngineGroup
}

/** A message that is given up. */
export interface UndoneMessage {
  readonly message: Message
  readonly lease: EngineLease
  readonly attempts: number
  readonly error: Error
  readonly deadLetter: string
  /** Undefined: nobody wants to know. */
  readonly result: (Letter & { readonly topic: string }) | undefined
}

/** Resolves when it is as durable as the log promises. @returns what is left to do, as of a call */
export async function storeLetter({ engine, group }: Parts, given: UndoneMessage): Promise<Exclude<CallEnd, Error>> {
  const { message, lease, attempts, error, deadLetter, result } = given
  const { maxMessageBytes, durability } = engine.facts
  const letter = letterOf(message, { group: group.name, attempts, error }, maxMessageBytes)
  const all = [{ topic: deadLetter, ...letter }, ...(result === undefined ? [] : [result])]
  const { transactions } = engine
  if (transactions !== undefined)
    try {
      const messages = all.map(({ topic, value, extras }) => ({ topic, value, extras, condition: undefined }))
      await transactions.transact({ messages, registers: [] }, { leases: [lease], commits: [] }, durability)
      return 'acknowledged'
    } catch (cause) {
      const code = cause instanceof BookendError ? cause.code : undefined
      if (code === 'BOOKEND_CONFLICT') return 'taken'
      // The largest messages leave no room in a segment for anything beside them.
      if (code !== 'BOOKEND_TOO_LARGE') throw cause
    }
  for (const { topic, value, extras } of all) await engine.topic(topic).append(value, extras, durability)
  return 'handled'
}
