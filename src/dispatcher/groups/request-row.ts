/** Those who wait at a desk, in the order of asking. */
import { Fifo } from '../../collections/fifo.js'

/** Somebody who waits. */
export interface Request {
  /** Served, rejected or given up: it stands in the row only until its turn comes, or the row is swept. */
  isOver: boolean
  /** Serves the request if there is something for it. True too where it {@link isOver}. */
  serve(): boolean
  reject(error: unknown): void
}

/** A shorter row of requests is not worth sweeping. */
const leastSweep = 64

export class RequestRow {
  readonly #requests = new Fifo<Request>()
  readonly #check: () => void
  #sweepAt = leastSweep

  /** @param check called before each of them is served; what it throws ends the serving */
  constructor(check: () => void) {
    this.#check = check
  }

  /** Those included that are over and were not swept yet. */
  get length(): number {
    return this.#requests.length
  }

  /** Behind everybody who has asked before. */
  add(request: Request): void {
    // Those who gave up behind somebody who waits for ever would gather: the row is swept each time it has doubled.
    if (this.#requests.length >= this.#sweepAt) {
      this.#requests.keep(({ isOver }) => !isOver)
      this.#sweepAt = Math.max(leastSweep, 2 * this.#requests.length)
    }
    this.#requests.push(request)
  }

  /** Serves from the head as far as there is something for them. */
  serve(): void {
    while (this.#requests.length > 0) {
      this.#check()
      if (this.#requests.peek()?.serve() !== true) break
      this.#requests.shift()
    }
  }

  /** Everybody who stands here, who then does not any more. */
  drain(): Request[] {
    return this.#requests.drain()
  }
}
