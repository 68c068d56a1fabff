import type { HandlerSetting } from '../../threads/reader/handler.js'

/** What a thread of a log on JetStream is told at its start. */
export interface StreamThreadData {
  readonly servers: readonly string[]
  readonly client: object
  readonly giveUpMs: number
  /** For messages to people. */
  readonly place: string
  readonly log: string
  readonly maxMessageBytes: number
  /** In a thread of a processor. */
  readonly handler?: HandlerSetting
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
