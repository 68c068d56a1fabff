/** Whether a pattern is in a message. */
import type { Message } from '../messages/message.js'
import { exitStatus, Failure } from './failure.js'

export interface SearchOptions {
  ignoreCase?: boolean
  fixedStrings?: boolean
}

const decoder = new TextDecoder()

/** @throws Failure if the pattern is no regular expression */
export function searcher(pattern: string, options: SearchOptions): (message: Message) => boolean {
  const expression = expressionOf(pattern, options)
  return ({ value, key, headers }) => {
    if (expression.test(decoder.decode(value))) return true
    if (key !== undefined && expression.test(decoder.decode(key))) return true
    return Object.entries(headers ?? {}).some(([name, text]) => expression.test(`${name}=${text}`))
  }
}

function expressionOf(pattern: string, { ignoreCase = false, fixedStrings = false }: SearchOptions): RegExp {
  const source = fixedStrings ? pattern.replaceAll(/[\\^$.*+?()[\]{}|]/g, (found) => `\\${found}`) : pattern
  try {
    // Lines of a value are lines to the pattern.
    return new RegExp(source, ignoreCase ? 'im' : 'm')
  } catch (error) {
    throw new Failure(`${(error as Error).message}; --fixed-strings takes it as plain text`, exitStatus.usage)
  }
}
