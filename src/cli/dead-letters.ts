/** Dead letters as the verb and the inspector show them. */
import type { DeadLetter } from '../log/dead-letter.js'

export interface LetterRow {
  offset: number
  timestamp: number
  /** Where the message stood. */
  topic: string
  from: number
  group: string
  attempts: number
  error: string
}

export function rowOf({ offset, timestamp, origin, group, attempts, reason }: DeadLetter): LetterRow {
  return { offset, timestamp, topic: origin.topic, from: origin.offset, group, attempts, error: reason }
}
