/** What a fault is, what it may use, what it reports: one row of figures for each way in which it was tried. */
import { Seeded } from '../support/seeded.js'

export interface Fault {
  /** As `--only` takes it. */
  readonly name: string
  /** In `npm run faults`; the others are in `npm run faults:root`. */
  readonly isRoot: boolean
  /** In `npm run faults:jetstream` alone: it starts NATS servers. */
  readonly needsServers?: true
  /** Relative length, so that long ones start first. */
  readonly weight: number
  run(context: Context): Promise<Row[]>
}

export interface Row {
  /** The fault and how it was made. */
  what: string
  /** Crashes, images, flips, deaths: what the fault counts. */
  runs: number
  /** This machine does not allow it; the note says why. */
  isLeftOut?: true
  /** Messages acknowledged before the fault; what is at stake. */
  acknowledged?: number
  lost?: number
  duplicates?: number
  /** Delivered with other bytes than were appended, or in another place. */
  wrong?: number
  /** How long the log, or the thread, took to be there again. */
  recoveryMs?: number[]
  note?: string
  /** What went against a promise; the first ones are printed. */
  failures: string[]
}

export class Context {
  readonly seed: number
  readonly scale: number
  readonly scratch: string
  /** On another file system than the scratch folder, in memory: what was acknowledged outlives the device under test. */
  readonly acknowledgements: string
  readonly #deadline: number | undefined

  /** @param scratch a folder of its own on a real disk, gone when the fault ends */
  constructor(seed: number, scale: number, minutes: number | undefined, scratch: string, acknowledgements: string) {
    this.seed = seed
    this.scale = scale
    this.scratch = scratch
    this.acknowledgements = acknowledgements
    this.#deadline = minutes === undefined ? undefined : performance.now() + minutes * 60_000
  }

  random(salt: number): Seeded {
    return new Seeded(Math.imul(this.seed, 0x9e3779b1) + salt)
  }

  /** True while there is more to do: until `count` times the scale is done, or, with `--minutes`, as long as time is left; once always. */
  more(done: number, count: number): boolean {
    if (this.#deadline !== undefined) return done === 0 || performance.now() < this.#deadline
    return done < Math.max(1, Math.round(count * this.scale))
  }

  /** For the next of so many parts that follow each other: with `--minutes`, its share of what is left of them. */
  part(remaining: number): Context {
    const leftMs = this.#deadline === undefined ? undefined : this.#deadline - performance.now()
    const minutes = leftMs === undefined ? undefined : leftMs / remaining / 60_000
    return new Context(this.seed, this.scale, minutes, this.scratch, this.acknowledgements)
  }

  say(text: string): void {
    process.stderr.write(`  ${text}\n`)
  }
}

/** Thrown through a fault at its first failure, where nobody wants to know of more. */
export class FirstFailure extends Error {
  readonly row: Row

  constructor(row: Row) {
    super(`${row.what}: ${row.failures[0]}`)
    this.row = row
  }
}

let isFirstEnough = false
let first: FirstFailure | undefined

/** From now on in this process. */
export function endAtFirstFailure(): void {
  isFirstEnough = true
}

export function emptyRow(what: string): Row & { recoveryMs: number[] } {
  const row = { what, runs: 0, recoveryMs: [], failures: [] as string[] }
  if (isFirstEnough) {
    row.failures.push = (...failures) => {
      if (failures.length === 0) return 0
      // A fault that catches it and reports it once more throws it again.
      first ??= new FirstFailure({ what, runs: 1, failures })
      throw first
    }
  }
  return row
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
