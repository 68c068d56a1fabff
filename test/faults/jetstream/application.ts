/** A program of the test's, to be killed: what it says is read line by line. */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { root } from '../writer-process.js'

export class Application {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  /** @param program a file of test/fixtures */
  constructor(program: string, args: readonly string[], hear: (line: string) => void) {
    const file = path.join(root, 'test/fixtures', program)
    const child = spawn(process.execPath, ['--no-warnings', file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    // What it had said when it died is read to the end. A line goes with one call of the system: none is cut off.
    const lines = createInterface({ input: child.stdout })
    lines.on('line', hear)
    this.#ended = Promise.all([
      new Promise((resolve) => child.once('exit', resolve)),
      new Promise((resolve) => lines.once('close', resolve)),
    ])
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  terminate(): void {
    this.#child.kill('SIGTERM')
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}
