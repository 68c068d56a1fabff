import { it } from 'vitest'
import type { TopicHandle } from '../../../src/dispatcher/topic-directory.js'
import { AppendWorld } from '../../support/append-side.js'

it('a message published while a reader decides to wait for it wakes the reader', async () => {
  const { appends, cells, lane } = new AppendWorld()
  const cell = cells.next(0)
  const load = cell.load.bind(cell)
  // The writer thread publishes right behind the n-th look, whichever that is.
  for (const looks of [1, 2, 3]) {
    const offset = load()
    let count = 0
    cell.load = () => {
      const seen = load()
      count += 1
      if (count === looks) {
        cell.store(offset + 1)
        lane.bell.ringIfAsleep()
      }
      return seen
    }
    await new Promise<void>((resolve, reject) => {
      appends.messages.whenNext({ name: 't', id: 0 } as TopicHandle, offset, resolve, reject)
    })
  }
})
