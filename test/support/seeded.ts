/** A small generator for tests that need many numbers from one printed seed. */
export class Seeded {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** In [0, 1). */
  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.unit() * bound)
  }

  chance(probability: number): boolean {
    return this.unit() < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]
  }
}

/** `SEED=n` replays one run of the tests that use it, `SEED=n+500` makes 500 from n on. */
export function seedsFrom(first: number, count: number): number[] {
  const asked = process.env.SEED
  if (asked !== undefined) [first, count] = [Number(asked.split('+')[0]), Number(asked.split('+')[1] ?? 1)]
  return Array.from({ length: count }, (_, index) => first + index)
}
