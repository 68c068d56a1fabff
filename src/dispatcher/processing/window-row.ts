/** Order `key`: windows in a row, which every lane walks. A window stays in the row until all lanes have left it. */
import { assert } from '../../errors.js'
import type { LeasedWindow } from './leased-window.js'

export class WindowRow {
  readonly #next: () => Promise<LeasedWindow | undefined>
  readonly #windows: LeasedWindow[] = []
  /** Number of the first of them. */
  #start = 0
  /** While the next one is leased. False: there is none. */
  #extending: Promise<boolean> | undefined

  /** @param next leases the window that comes next, called once at a time; undefined: there will be none */
  constructor(next: () => Promise<LeasedWindow | undefined>) {
    this.#next = next
  }

  /** Messages in all of them. */
  get count(): number {
    return this.#windows.reduce((sum, window) => sum + window.count, 0)
  }

  /** The window with that number; undefined: there will be none. */
  async at(index: number): Promise<LeasedWindow | undefined> {
    for (;;) {
      assert(index >= this.#start, 'a window stays in the row until all lanes have left it')
      const window = this.#windows[index - this.#start]
      if (window !== undefined) return window
      this.#extending ??= this.#extend().finally(() => {
        this.#extending = undefined
      })
      if (!(await this.#extending)) return undefined
    }
  }

  /** All lanes have left it. */
  leave(window: LeasedWindow): void {
    assert(this.#windows[0] === window, 'windows are left in their order')
    this.#windows.shift()
    this.#start += 1
  }

  /** Those that not all lanes have left; the next one is number 0 again. */
  clear(): LeasedWindow[] {
    this.#start = 0
    return this.#windows.splice(0)
  }

  async #extend(): Promise<boolean> {
    const window = await this.#next()
    if (window === undefined) return false
    this.#windows.push(window)
    return true
  }
}
