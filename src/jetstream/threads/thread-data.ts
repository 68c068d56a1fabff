/** What a thread of a log on JetStream is told at its start. */
export interface StreamThreadData {
  readonly servers: readonly string[]
  readonly client: object
  readonly giveUpMs: number
  /** For messages to people. */
  readonly place: string
  readonly log: string
  readonly maxMessageBytes: number
  /** What handlers find at `context.data`. */
  readonly handlerData?: unknown
}

/** Whether these options of the client can go to another thread: not with functions in them. */
export function isSendable(client: object): boolean {
  try {
    structuredClone(client)
    return true
  } catch {
    return false
  }
}
