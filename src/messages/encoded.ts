/** What is ready to be written, as a transaction takes it. */
import type { EncodedMessage, PlannedMessage, TransactionParts } from '../engine/terms.js'

export function partsOf(messages: readonly EncodedMessage[]): Required<TransactionParts> {
  const scheduled = messages.flatMap(({ due, topic, value, extras }): PlannedMessage[] =>
    due === undefined ? [] : [{ topic, value, extras, due, id: undefined }],
  )
  const appended = messages.filter(({ due }) => due === undefined)
  return {
    messages: appended.map(({ topic, value, extras }) => ({ topic, value, extras, condition: undefined })),
    registers: [],
    scheduled,
  }
}
