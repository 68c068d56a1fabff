/** Lines of JSON as messages. */
import { exitStatus, Failure } from './failure.js'
import type { Incoming } from './intake.js'
import type { Line } from './lines.js'
import { whole } from './units.js'

const strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

/**
 * @param toMessage undefined: the line is none; what it throws comes after all messages before it
 */
export async function* messagesOf(
  batches: AsyncIterable<Line[]>,
  toMessage: (line: Line) => Incoming | undefined,
): AsyncGenerator<Incoming[]> {
  for await (const lines of batches) {
    const messages: Incoming[] = []
    let failure: unknown
    for (const line of lines) {
      try {
        const message = toMessage(line)
        if (message !== undefined) messages.push(message)
      } catch (error) {
        failure = error
        break
      }
    }
    if (messages.length > 0) yield messages
    if (failure !== undefined) throw failure
  }
}

export function isBlank({ bytes }: Line): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09)
}

/** @throws Failure with the number of the line */
export function parseLine({ number, bytes }: Line): unknown {
  try {
    return JSON.parse(strictDecoder.decode(bytes))
  } catch (error) {
    throw lineFailure(number, `is not JSON: ${(error as Error).message}`)
  }
}

/** @throws Failure with the number of the line */
export function parseObject(line: Line): Record<string, unknown> {
  const value = parseLine(line)
  if (isObject(value)) return value
  throw lineFailure(line.number, 'is no JSON object')
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function lineFailure(number: number, what: string): Failure {
  return new Failure(`line ${whole(number)} ${what}`, exitStatus.failed)
}
