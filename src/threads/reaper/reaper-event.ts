/** What the application may want to hear of; sent to its thread. */
export type ReaperEvent =
  | { type: 'prepared' | 'rolled' | 'indexed' | 'retired' | 'deleted' | 'rewritten' | 'packed'; segment: number }
  | { type: 'moved'; segment: number; topic: number }
  | { type: 'flushed'; position: number; micros: number }
  | { type: 'error'; what: string; code: string; errno: number }
