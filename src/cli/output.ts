/** Long output: in pieces that are worth a call, and no faster than it is taken. */
import { once } from 'node:events'

const pieceBytes = 64 * 1024

export class Output {
  #texts: string[] = []
  #length = 0
  readonly #stream: NodeJS.WriteStream

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream
  }

  async add(piece: string | Uint8Array): Promise<void> {
    if (typeof piece !== 'string') {
      await this.flush()
      return this.#write(piece)
    }
    this.#texts.push(piece)
    this.#length += piece.length
    if (this.#length >= pieceBytes) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#texts.length === 0) return
    const text = this.#texts.join('')
    this.#texts = []
    this.#length = 0
    await this.#write(text)
  }

  async #write(chunk: string | Uint8Array): Promise<void> {
    if (!this.#stream.write(chunk)) await once(this.#stream, 'drain')
  }
}
