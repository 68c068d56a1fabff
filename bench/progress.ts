/** Lines that say what runs, how much of it is done and how long the rest may take. */
export class Progress {
  readonly #jobs: number
  readonly #print: (line: string) => void
  readonly #now: () => number
  readonly #startMs: number
  #done = 0

  constructor(jobs: number, print: (line: string) => void, now: () => number = () => performance.now()) {
    this.#jobs = jobs
    this.#print = print
    this.#now = now
    this.#startMs = now()
  }

  note(count = 1): void {
    this.#done += count
  }

  tell(line: string): void {
    this.#print(`[${this.#share()}] ${line}`)
  }

  #share(): string {
    const done = `${this.#done}/${this.#jobs}`
    if (this.#done === 0) return done
    const elapsedMs = this.#now() - this.#startMs
    return `${done}, ${describeMinutes((elapsedMs / this.#done) * (this.#jobs - this.#done))} left`
  }
}

function describeMinutes(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
