/** Standard output as the verbs see it: how wide, with colours or not, and clean when its reader goes away. */
import picocolors from 'picocolors'
import { visible } from './visible.js'

export type Colors = ReturnType<typeof picocolors.createColors>

export interface Terminal {
  /** False: a file or a pipe; then plain text, no colours and no cursor movements. */
  readonly isInteractive: boolean
  readonly colors: Colors
  /** True if block characters can be shown. */
  readonly hasBlocks: boolean
  readonly columns: number
  readonly rows: number
}

const fallbackColumns = 100

export function terminal(stream: NodeJS.WriteStream = process.stdout): Terminal {
  const isInteractive = stream.isTTY === true && process.env.TERM !== 'dumb'
  const locale = process.env.LC_ALL || process.env.LC_CTYPE || process.env.LANG || ''
  return {
    isInteractive,
    colors: picocolors.createColors(isInteractive && !process.env.NO_COLOR),
    hasBlocks: isInteractive && /utf-?8/i.test(locale),
    columns: Math.max(40, (isInteractive ? stream.columns : undefined) ?? fallbackColumns),
    rows: Math.max(10, (isInteractive ? stream.rows : undefined) ?? 24),
  }
}

/** `bookend ... | head`: whoever closes the pipe has seen enough. That is no failure, and no reason for a stack trace. */
export function guardOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      process.exit()
    })
  }
}

export function print(text: string): void {
  process.stdout.write(`${visible(text)}\n`)
}

/** What was done, beside what is printed: on standard error. */
export function note(text: string): void {
  process.stderr.write(`${visible(text)}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2))
}
