import { describe, expect, it } from 'vitest'
import { HandlerWords } from '../../src/ring/handler-words.js'

/** Words whose n-th look at what has changed is followed at once by a change, as if made by another thread. */
class InterruptedWords {
  readonly words = HandlerWords.allocate(0, 10, 0, true)
  looks = 0

  constructor(moment: number, change: (words: HandlerWords) => void) {
    for (const name of ['rangeEnd', 'isClosed', 'isStopAsked'] as const) {
      const look = Object.getOwnPropertyDescriptor(HandlerWords.prototype, name)?.get as () => unknown
      Object.defineProperty(this.words, name, {
        get: () => {
          const seen = look.call(this.words)
          this.looks += 1
          if (this.looks === moment) change(this.words)
          return seen
        },
      })
    }
  }
}

const inTime = (waiting: Promise<boolean>) =>
  Promise.race([waiting, new Promise<string>((resolve) => setTimeout(resolve, 30_000, 'asleep'))])

const changes = [
  { name: 'a range that grows', isMore: true, change: (words: HandlerWords) => words.extend(11) },
  { name: 'a range that grows no more', isMore: false, change: (words: HandlerWords) => words.close() },
  { name: 'a stop', isMore: false, change: (words: HandlerWords) => words.askStop() },
]

describe('the words of a handler task', () => {
  for (const { name, isMore, change } of changes) {
    it(`${name} wakes the task, whenever it comes`, async () => {
      for (const moment of [1, 2, 3]) {
        const { words } = new InterruptedWords(moment, change)
        expect(await inTime(words.untilMore(10, 120_000)), `after look ${moment}`).toBe(isMore)
      }
      const words = HandlerWords.allocate(0, 10, 0, true)
      const waiting = words.untilMore(10, 120_000)
      setTimeout(change, 5, words)
      expect(await inTime(waiting)).toBe(isMore)
      const early = HandlerWords.allocate(0, 10, 0, true)
      change(early)
      expect(await inTime(early.untilMore(10, 120_000))).toBe(isMore)
    })
  }

  it('a task does not wait for ever, and tells how far it has come before it waits', async () => {
    const words = HandlerWords.allocate(0, 10, 0, true)
    const waiting = words.untilMore(10, 5)
    expect(words.progress).toBe(10)
    expect(await inTime(waiting)).toBe(false)
  })

  it('are closed from the beginning where nothing can be added', () => {
    expect(HandlerWords.allocate(3, 10, 5, false)).toMatchObject({
      isClosed: true,
      rangeEnd: 10,
      progress: 3,
      aloneTo: 5,
    })
    expect(HandlerWords.allocate(3, 2 ** 40, 0, true)).toMatchObject({ isClosed: false, rangeEnd: 2 ** 40 })
  })
})
