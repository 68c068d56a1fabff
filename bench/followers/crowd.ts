import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Assignment, FollowerOrder, FollowerReport } from './orders.js'

const followerModule = new URL('./follower.js', import.meta.url)

/** Processes that follow one directory. */
export class Crowd {
  readonly #followers: readonly ChildProcess[]

  private constructor(followers: readonly ChildProcess[]) {
    this.#followers = followers
  }

  /** Resolves when all follow. */
  static async gather(assignment: Assignment, size: number): Promise<Crowd> {
    const followers = Array.from({ length: size }, () =>
      fork(followerModule, [JSON.stringify(assignment)], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        execArgv: [],
      }),
    )
    await Promise.all(followers.map(reportOf))
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
  const onExit = (code: number | null) => gone.abort(new Error(`a follower ended with code ${code}`))
  follower.once('exit', onExit)
  const [report] = (await once(follower, 'message', { signal: gone.signal })) as [FollowerReport]
  follower.off('exit', onExit)
  return report
}
