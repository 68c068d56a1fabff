/** One fault in a process of its own, which leads a group: whatever it has started ends with it. */
import { type ChildProcess, fork } from 'node:child_process'
import type { Row } from './fault.js'

export class FaultProcess {
  static readonly #underWay = new Set<FaultProcess>()

  /** What came of it; where it ended in any other way, a row that says how. */
  readonly rows: Promise<Row[]>
  readonly #name: string
  readonly #child: ChildProcess
  readonly #started = performance.now()
  #why: string | undefined

  /** @param limitSeconds it is killed when it takes longer */
  constructor(name: string, args: readonly string[], limitSeconds?: number) {
    this.#name = name
    this.#child = fork(process.argv[1], args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true })
    FaultProcess.#underWay.add(this)
    this.rows = this.#run(limitSeconds)
  }

  /** Ends all that are under way, at the word of whoever ends the run, who is told what it was waiting for. */
  static endAll(signal: NodeJS.Signals): void {
    for (const each of FaultProcess.#underWay) {
      each.#kill()
      console.log(`FAILED ${each.#name}: ${signal} came when it had been under way for ${each.#seconds}`)
    }
  }

  async #run(limitSeconds: number | undefined): Promise<Row[]> {
    let rows: Row[] | undefined
    this.#child.once('message', (message) => {
      rows = message as Row[]
    })
    const timer =
      limitSeconds &&
      setTimeout(() => {
        this.#why = `did not end within ${limitSeconds} s`
        this.#kill()
      }, limitSeconds * 1000)
    const ending = await new Promise((resolve) =>
      this.#child.once('exit', (status, signal) => resolve(signal ?? status)),
    )
    clearTimeout(timer)
    // A fault that broke off has left its processes behind.
    this.#kill()
    FaultProcess.#underWay.delete(this)
    process.stderr.write(`${this.#name}: ${this.#seconds}\n`)
    this.#why ??= `ended with ${ending}, without a result`
    return rows ?? [{ what: this.#name, runs: 1, failures: [this.#why] }]
  }

  get #seconds(): string {
    return `${((performance.now() - this.#started) / 1000).toFixed(0)} s`
  }

  #kill(): void {
    try {
      process.kill(-(this.#child.pid as number), 'SIGKILL')
    } catch {
      // All of them have ended.
    }
  }
}
