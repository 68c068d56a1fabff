/** Work side by side, but one after the other where it is for one key. */
import { partsOf, type RecordPlace } from '../../messages/chunk-cursor.js'

export class KeyChains {
  readonly #tails = new Map<string, Promise<void>>()
  #held = 0
  #tell: () => void = () => {}

  /** @param work never rejects. @param key undefined: it waits for nothing */
  add(key: string | undefined, work: () => Promise<void>): void {
    this.#held += 1
    const before = key === undefined ? undefined : this.#tails.get(key)
    const mine = (before === undefined ? work() : before.then(work)).then(() => {
      this.#held -= 1
      if (key !== undefined && this.#tails.get(key) === mine) this.#tails.delete(key)
      this.#tell()
    })
    if (key !== undefined) this.#tails.set(key, mine)
  }

  /** Resolves when fewer than so many are not done. One caller at a time. */
  async below(count: number): Promise<void> {
    while (this.#held >= count)
      await new Promise<void>((resolve) => {
        this.#tell = resolve
      })
  }
}

/** The bytes of a message's key as a text of as many units; undefined: it has none. */
export function keyOf({ bytes, words, frame }: RecordPlace): string | undefined {
  const { keyStart, keyEnd } = partsOf(words, frame)
  if (keyStart < 0) return undefined
  return Buffer.from(bytes.buffer, bytes.byteOffset + keyStart, keyEnd - keyStart).toString('latin1')
}
