/**
 * Dead letters of what modules could not handle: each in one transaction with the acknowledgement of its message, so that no crash leaves two of it, or
 * none.
 */
import type { LastWord } from '../dispatcher/processing/dead-letters.js'
import type { OwnMessage } from '../dispatcher/processing/held-messages.js'
import type { Durability } from '../engine/terms.js'
import { BookendError } from '../errors.js'
import type { Letter } from '../messages/dead-letter.js'
import type { HandlerWrites } from './handler-writes.js'

export interface LetterWritesParts {
  readonly durability: Durability
  write: HandlerWrites['write']
  append(topic: string, letter: Letter, level: Durability): Promise<unknown>
}

export class LetterWrites {
  readonly #parts: LetterWritesParts

  constructor(parts: LetterWritesParts) {
    this.#parts = parts
  }

  /**
   * @param of whose message it stands for; undefined: nothing is acknowledged with it
   * @param word what a topic of results is told with it
   * @returns false: others are done with the message, or its group was moved, and nothing was written
   */
  async store(
    to: string,
    letter: Letter,
    of: (OwnMessage & { readonly topic: string; readonly group: string }) | undefined,
    word?: LastWord,
  ): Promise<boolean> {
    const { durability, write, append } = this.#parts
    if (of !== undefined) {
      const { offset, ...held } = of
      try {
        const handled = { ...held, ranges: [{ first: offset, end: offset + 1 }] }
        const all = [{ topic: to, ...letter }, ...(word === undefined ? [] : [word])]
        return await write(
          all.map((each) => ({ ...each, level: durability })),
          handled,
          durability,
        )
      } catch (error) {
        // The largest messages leave no room in a segment for anything beside them.
        if (!(error instanceof BookendError) || error.code !== 'BOOKEND_TOO_LARGE') throw error
      }
    }
    await append(to, letter, durability)
    if (word !== undefined) await append(word.topic, word, durability)
    return true
  }
}
