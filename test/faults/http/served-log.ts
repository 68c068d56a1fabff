/** `bookend serve` in a process of its own, which is killed and comes again at the same port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Of the build that this very file belongs to: a mutant tests itself. */
const command = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url))

export class ServedLog {
  readonly #directory: string
  readonly #options: readonly string[]
  #child: ChildProcess | undefined
  #port = 0

  constructor(directory: string, options: readonly string[]) {
    this.#directory = directory
    this.#options = options
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** @returns how long it took, ms */
  async start(): Promise<number> {
    const started = performance.now()
    const args = ['serve', this.#directory, '--port', `${this.#port}`, ...this.#options]
    const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    const ended = once(child, 'exit').then(([status, signal]) => {
      throw new Error(`the server ended by itself: ${status ?? signal}`)
    })
    const [line] = await Promise.race([once(child.stdout, 'data'), ended])
    ended.catch(() => {})
    this.#port = Number(new URL(String(line).trim()).port)
    return performance.now() - started
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child as ChildProcess
    if (child.exitCode !== null) throw new Error(`the server ended by itself: ${child.exitCode}`)
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}
