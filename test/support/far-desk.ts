/** Desks of several threads on the books of one, joined by lines on which every word takes its time, and keeps its place. */
import { DeskBranch } from '../../src/dispatcher/groups/desk-branch.js'
import { GroupDesk } from '../../src/dispatcher/groups/group-desk.js'
import { RemoteDesk } from '../../src/dispatcher/groups/remote-desk.js'
import { storedGroup } from './stored-groups.js'

/** The thread with the books, of a topic whose messages are the test's to make. */
export class NearDesk {
  next = 0
  readonly #waits = new Set<() => void>()
  readonly desk: GroupDesk

  constructor() {
    this.desk = new GroupDesk({
      ...storedGroup(),
      first: () => 0,
      next: () => this.next,
      checkOpen() {},
      onSkipped() {},
      whenNext: (offset, resolve) => {
        if (this.next > offset) {
          resolve()
          return () => {}
        }
        this.#waits.add(resolve)
        return () => this.#waits.delete(resolve)
      },
    })
  }

  publish(count: number): void {
    this.next += count
    const waits = [...this.#waits]
    this.#waits.clear()
    for (const resolve of waits) resolve()
  }

  get committed(): number {
    return this.desk.ledger.committed
  }
}

/** Another thread, with its own desk. */
export class FarDesk {
  readonly desk: RemoteDesk
  readonly branch: DeskBranch
  /** Reasons for the thread to stay. */
  holds = 0
  /** What is under way in each direction. */
  readonly #there: (() => void)[] = []
  readonly #back: (() => void)[] = []
  #isEnded = false

  constructor(near: NearDesk) {
    this.branch = new DeskBranch(near.desk, {
      given: (number, lease) => this.#back.push(() => this.desk.given(number, lease)),
      nothing: (number) => this.#back.push(() => this.desk.nothing(number)),
      failed: (number, error) => this.#back.push(() => this.desk.failed(number, error)),
      changed: (state) => this.#back.push(() => this.desk.changed(state)),
      whenThere: () => new Promise((resolve) => this.#back.push(() => this.#there.push(resolve))),
      withdrawn: (first, end) => this.#back.push(() => this.desk.withdrawn(first, end)),
    })
    const call = <T>(work: () => Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        this.#there.push(() => {
          work().then(
            (value) => this.#back.push(() => resolve(value)),
            (error) => this.#back.push(() => reject(error)),
          )
        })
      })
    this.desk = new RemoteDesk(
      {
        open: (from) => call(() => this.branch.open(from)),
        ask: (number, max, mayWait, ackTimeoutMs) =>
          this.#there.push(() => this.branch.ask(number, max, mayWait, ackTimeoutMs)),
        cancel: (number) => this.#there.push(() => this.branch.cancel(number)),
        acknowledge: (generation, ranges) => {
          const sent = structuredClone(ranges)
          return call(() => this.branch.acknowledge(generation, sent))
        },
        seats: (count) => this.#there.push(() => this.branch.seats(count)),
        giveBack: (range, delayMs) => this.#there.push(() => this.branch.giveBack(range, delayMs)),
      },
      {
        hold: () => {
          this.holds += 1
        },
        release: () => {
          this.holds -= 1
        },
      },
    )
  }

  /** One word arrives, in one direction or the other. False: none is under way there. */
  deliver(isBack: boolean): boolean {
    const word = (isBack ? this.#back : this.#there).shift()
    if (word !== undefined && !(isBack && this.#isEnded)) word()
    return word !== undefined
  }

  /** The thread ends: what it has said arrives, and then its end. */
  end(): void {
    this.#isEnded = true
    while (this.deliver(false)) {}
    this.branch.end()
  }
}
