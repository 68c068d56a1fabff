/**
 * Where a thread sleeps until another one has work for it.
 *
 * A sleeper arms its flag and *then* looks for work once more; whoever makes work stores it and *then* looks at the flag. Either sees the
 * other.
 */

/** What anybody may do with a bell of another thread. */
export interface Rope {
  /** For whoever made work: call it after the store that made it. Costs one load while the owner is awake. */
  ringIfAsleep(): void
  ring(): void
}

/** A place to sleep until somebody rings. */
export class Bell implements Rope {
  readonly #words: Int32Array
  readonly #bell: number
  readonly #asleep: number
  #ceiling: NodeJS.Timeout | undefined
  #ceilingMs = 0

  constructor(words: Int32Array, bell: number, asleep: number) {
    this.#words = words
    this.#bell = bell
    this.#asleep = asleep
  }

  ringIfAsleep(): void {
    if (Atomics.load(this.#words, this.#asleep) === 0) return
    this.ring()
  }

  /** Changes whenever the bell is rung. */
  token(): number {
    return Atomics.load(this.#words, this.#bell)
  }

  ring(): void {
    Atomics.add(this.#words, this.#bell, 1)
    Atomics.notify(this.#words, this.#bell)
  }

  /**
   * For the owner: announces sleep and returns a token. Look for work once more after this, then {@link wait} or
   * {@link waitAsync} with the token, or {@link disarm}.
   */
  arm(): number {
    const token = this.token()
    Atomics.store(this.#words, this.#asleep, 1)
    return token
  }

  disarm(): void {
    Atomics.store(this.#words, this.#asleep, 0)
    clearTimeout(this.#ceiling)
    this.#ceiling = undefined
  }

  /** Blocks the calling worker. Returns true when rung since {@link arm}, false after the ceiling. */
  wait(token: number, ceilingMs: number): boolean {
    const isRung = Atomics.wait(this.#words, this.#bell, token, ceilingMs) !== 'timed-out'
    Atomics.store(this.#words, this.#asleep, 0)
    return isRung
  }

  /**
   * Like {@link wait}, for a thread with an event loop, which this does not keep alive.
   *
   * The ceiling is one timer of Node's, put off by every call, and not the timeout of `Atomics.waitAsync`. Of those V8 gives each one
   * a timer that stays until it expires, however early the wait ends, and Node finds an expired one by looking through them all: after a second
   * of 50,000 waits the event loop stood still for the better part of the next one.
   */
  waitAsync(token: number, ceilingMs: number): Promise<unknown> | undefined {
    const result = Atomics.waitAsync(this.#words, this.#bell, token)
    if (!result.async) return undefined
    if (this.#ceiling !== undefined && this.#ceilingMs === ceilingMs) this.#ceiling.refresh()
    else {
      clearTimeout(this.#ceiling)
      this.#ceilingMs = ceilingMs
      // Without a change of the bell: nobody has rung, and everybody who waits looks again.
      this.#ceiling = setTimeout(() => Atomics.notify(this.#words, this.#bell), ceilingMs).unref()
    }
    return result.value.then(() => Atomics.store(this.#words, this.#asleep, 0))
  }
}
