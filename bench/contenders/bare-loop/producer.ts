import {
  frameUnits,
  headWord,
  paddingMark,
  producerAsleepWord,
  ringUnits,
  tailWord,
  workerAsleepWord,
} from './layout.js'

const indexMask = ringUnits - 1
/** A full ring is left alone until this much is free: one sleep for many frames instead of one sleep for each. */
const resumeUnits = ringUnits / 4
/** Loads before the producer sleeps while it waits for one frame to be published. */
const awaitSpins = 100_000
/** A notification that got lost costs this long at most. */
const waitCeilingMs = 100

/** The application thread's side: writes complete frames into the ring. */
export class BareProducer {
  readonly #control: Int32Array
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #publishUnits: number
  #tail = 0
  #publishedTail = 0
  #knownHead = 0

  /** @param publishUnits store the tail when at least this many units are unpublished; 0: with every frame. */
  constructor(control: SharedArrayBuffer, ring: SharedArrayBuffer, publishUnits: number) {
    this.#control = new Int32Array(control)
    this.#words = new Int32Array(ring)
    this.#bytes = new Uint8Array(ring)
    this.#publishUnits = publishUnits
  }

  /** Takes the value, or returns false where the ring is full. */
  offer(value: Uint8Array): boolean {
    const units = frameUnits(value.length)
    let index = this.#tail & indexMask
    const toEnd = ringUnits - index
    const needed = units <= toEnd ? units : units + toEnd
    if (needed > ringUnits - ((this.#tail - this.#knownHead) | 0)) {
      this.#knownHead = Atomics.load(this.#control, headWord)
      if (needed > ringUnits - ((this.#tail - this.#knownHead) | 0)) return false
    }
    if (units > toEnd) {
      this.#words[index * 2] = paddingMark
      this.#tail = (this.#tail + toEnd) | 0
      index = 0
    }
    const word = index * 2
    this.#words[word] = value.length
    this.#words[word + 1] = 1
    this.#words[word + 3] = 0
    this.#bytes.set(value, (index + 2) * 8)
    this.#tail = (this.#tail + units) | 0
    if (((this.#tail - this.#publishedTail) | 0) > this.#publishUnits) this.publish()
    return true
  }

  /** Makes every frame so far visible to the worker. */
  publish(): void {
    this.#publishedTail = this.#tail
    Atomics.store(this.#control, tailWord, this.#tail)
    // After the store: a worker that raised its flag before it saw the tail is woken, one that raised it later sees the tail.
    if (Atomics.load(this.#control, workerAsleepWord) === 1) {
      Atomics.store(this.#control, workerAsleepWord, 0)
      Atomics.notify(this.#control, tailWord)
    }
  }

  /** Sleeps until a good part of the ring is free. */
  waitForSpace(): void {
    this.publish()
    this.#sleepUntil((head) => ringUnits - ((this.#tail - head) | 0) >= resumeUnits)
  }

  /** Waits until everything offered so far is published in the log. */
  flush(): void {
    this.publish()
    for (let spin = 0; spin < awaitSpins; spin++) {
      if (Atomics.load(this.#control, headWord) === this.#tail) return
    }
    this.#sleepUntil((head) => head === this.#tail)
  }

  #sleepUntil(isReached: (head: number) => boolean): void {
    Atomics.store(this.#control, producerAsleepWord, 1)
    for (;;) {
      const head = Atomics.load(this.#control, headWord)
      if (isReached(head)) break
      Atomics.wait(this.#control, headWord, head, waitCeilingMs)
    }
    Atomics.store(this.#control, producerAsleepWord, 0)
  }
}
