import type { StandardCaseName } from './cases/catalogue.js'
import type { ContenderName } from './contenders/catalogue.js'

/** What a child process is told to do: one case, one contender, once. Sent as a message, so plain data only. */
export interface Job {
  readonly kind: JobKind
  readonly contender: ContenderName
  readonly directory: string
  readonly packageDirectory: string
  readonly messages: number
  readonly messageBytes: number
  /** Done first and not measured, in the same process: lets the compiler and the store reach their stride. */
  readonly warmupMessages: number
  readonly segmentBytes?: number
  readonly mapTtlMs?: number
}

/**
 * The standard cases, and the steps that long cases are made of: `fill` writes the data for a read, `fill-and-wait`
 * writes it and waits to be killed, `open` measures an open, `idle` reads, idles and looks at its own memory.
 */
export type JobKind = StandardCaseName | 'cold-read' | 'fill' | 'fill-and-wait' | 'open' | 'idle'

/** What a job measured: figures by name, the unit last in the name. */
export type Figures = Readonly<Record<string, number>>

/** The child's one answer. */
export type Answer = { readonly figures: Figures } | { readonly failure: string }
