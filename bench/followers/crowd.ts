import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import type { Assignment, FollowerOrder, FollowerReport } from './orders.js'

const followerModule = new URL('./follower.js', import.meta.url)

/** Processes that follow one directory. */
export class Crowd {
  readonly #followers: readonly ChildProcess[]

  private constructor(followers: readonly ChildProcess[]) {
    this.#followers = followers
  }

  /** Resolves when all follow. They start one for each core at a time: fifty at once wait longer for each other than a start may take. */
  static async gather(assignment: Assignment, size: number): Promise<Crowd> {
    const followers: ChildProcess[] = []
    const start = async () => {
      const follower = fork(followerModule, [JSON.stringify(assignment)], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        execArgv: [],
      })
      followers.push(follower)
      await reportOf(follower)
    }
    while (followers.length < size) {
      const together = Math.min(availableParallelism(), size - followers.length)
      await Promise.all(Array.from({ length: together }, start))
    }
    return new Crowd(followers)
  }

  /** Gives everybody the same order; resolves when the last has answered. */
  ask(order: FollowerOrder): Promise<FollowerReport[]> {
    return Promise.all(
      this.#followers.map((follower) => {
        const report = reportOf(follower)
        follower.send(order)
        return report
      }),
    )
  }

  /** Holds them where they are: they are still told, and do nothing about it. */
  halt(): void {
    for (const follower of this.#followers) follower.kill('SIGSTOP')
  }

  async close(): Promise<void> {
    const gone = this.#followers.map((follower) => once(follower, 'exit'))
    for (const follower of this.#followers) follower.kill('SIGKILL')
    await Promise.all(gone)
  }
}

async function reportOf(follower: ChildProcess): Promise<FollowerReport> {
  const gone = new AbortController()
  const onExit = (code: number | null, signal: NodeJS.Signals | null) =>
    gone.abort(new Error(`a follower ended with ${signal ?? `code ${code}`}`))
  follower.once('exit', onExit)
  try {
    const [report] = (await once(follower, 'message', { signal: gone.signal })) as [FollowerReport]
    return report
  } catch (error) {
    throw gone.signal.reason ?? error
  } finally {
    follower.off('exit', onExit)
  }
}
